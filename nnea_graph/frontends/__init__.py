"""Frontends, by which a source becomes a ModelGraph: safe readers of model files, and builders of graphs from them."""
