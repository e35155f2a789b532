"""Conversion by tf2onnx, held to one deterministic, named result."""
