"""Recognizes files that are something else than an ONNX model, to say what to do with them."""

from __future__ import annotations

# (offset, bytes there, what to say). None of them can begin a serialized ModelProto.
_SIGNS = (
    (0, b"PK\x03\x04", "a zip archive; unpack it (a .pt2, .pt or .keras file needs its own frontend)"),
    (0, b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (0, b"\x89HDF", "an HDF5 file (Keras .h5); it is no ONNX model"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model; fetch it with: git lfs pull"),
    (4, b"ORTM", "onnxruntime's own .ort format; give the .onnx file it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model; let its name end in .tflite"),
    (0, b"<", "text (HTML or XML), not a model; the download has probably failed"),
    (0, b"{", "text (JSON), not a model; save it with onnx.save in the default format"),
)


def foreign_format(head: bytes) -> str | None:
    """Format of a file that begins like that is, and what to do; None where it may be a model.

    >>> foreign_format(b"PK" + bytes([3, 4]))[:13]
    'a zip archive'
    """
    found = (hint for offset, sign, hint in _SIGNS if head[offset:].startswith(sign))
    return next(found, None)
