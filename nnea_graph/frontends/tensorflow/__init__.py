"""Functions, modules and SavedModels of TensorFlow."""
