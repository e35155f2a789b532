"""ModelGraph back to ONNX for onnxruntime."""
