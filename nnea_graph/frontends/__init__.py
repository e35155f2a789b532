"""What a source becomes a ModelGraph by: safe readers of model files, and builders of graphs from them."""
