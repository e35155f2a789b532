"""TensorFlow Lite files, read in a child process."""
