"""Output types and shapes of operators that onnx itself does not infer, one family a file."""
