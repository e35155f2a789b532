"""The only door to onnxruntime: sessions, reductions inside the graph, data in, timing."""
