"""A plan carried out on the torch module that the model was exported from."""
