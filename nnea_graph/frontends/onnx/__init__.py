"""ONNX protobuf to ModelGraph."""
