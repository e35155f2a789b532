"""The models that paths, folders, globs and lists name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nnea_graph.errors import UsageError

SUFFIXES = (".onnx", ".pt2", ".keras", ".h5", ".tflite")
_SAVED_MODEL = "saved_model.pb"
_GLOB = re.compile(r"[*?\[]")
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def find_models(paths: Sequence[str]) -> list[str]:
    """The models of all paths, each once, in order of their paths.

    A folder gives every model in it and below, a SavedModel folder itself; ``@FILE`` a path a line; a glob what it
    matches.

    Raises:
        UsageError: a path names nothing.
    """
    found = sorted({model for path in paths for model in _models(path)})
    if not found:
        raise UsageError(f"{' '.join(paths)}: no model there; models end in {', '.join(SUFFIXES)}")
    return found


def _models(path: str) -> Iterator[str]:
    if path.startswith("@"):
        yield from (model for line in _lines(Path(path[1:])) for model in _models(line))
        return
    place = Path(path)
    if place.is_dir():
        yield from _folder(place)
    elif place.exists() or not _GLOB.search(path):
        yield place.as_posix()
    else:
        matches = sorted(Path().glob(path)) if not place.is_absolute() else _absolute(place)
        if not matches:
            raise UsageError(f"{path}: matches no file")
        yield from (model for match in matches for model in _models(match.as_posix()))


def _absolute(pattern: Path) -> list[Path]:
    root = Path(pattern.anchor)
    return sorted(root.glob(pattern.relative_to(root).as_posix()))


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"@{file}: the list cannot be read: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _folder(folder: Path) -> Iterator[str]:
    if (folder / _SAVED_MODEL).is_file():
        yield folder.as_posix()
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
            yield from _folder(child)
        elif child.suffix in SUFFIXES and child.is_file():
            yield child.as_posix()


def slug(path: str) -> str:
    """A file name for a model's results: its path made plain, and a part of the path's hash.

    >>> slug("models/a b.onnx")
    'models_a_b.onnx-a97bb613'
    """
    plain = _PLAIN.sub("_", path)[-80:].strip("._")
    return f"{plain}-{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
