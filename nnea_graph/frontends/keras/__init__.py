"""Keras models, on TensorFlow and on torch."""
