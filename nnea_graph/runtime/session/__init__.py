"""Sessions of onnxruntime, isolated ones, time limits, latency."""
