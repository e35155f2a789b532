"""The words by which a SavedModel is meant: its folder, and perhaps one of its signatures."""

from __future__ import annotations

from pathlib import Path

FILE = "saved_model.pb"


def is_saved_model(path: Path) -> bool:
    """Tells whether a path is a SavedModel folder, its ``saved_model.pb``, or such a folder and a signature.

    >>> is_saved_model(Path("model.onnx"))
    False
    """
    try:
        return (parted(path)[0] / FILE).is_file()
    except OSError:  # no path can be like that
        return False


def parted(path: Path) -> tuple[Path, str]:
    """The folder, and the signature that a path names after a colon.

    >>> parted(Path("models/net:embed"))[1]
    'embed'
    """
    folder, colon, signature = str(path).rpartition(":")
    if not colon or path.exists():
        folder, signature = str(path), ""
    found = Path(folder)
    return (found.parent if found.name == FILE else found), signature
