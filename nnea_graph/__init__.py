"""nnea-graph: what a trained network really costs, as passes over its ONNX graph."""

__version__ = "0.1.0"
