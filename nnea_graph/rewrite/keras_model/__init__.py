"""A plan carried out on the Keras model that the model was exported from."""
