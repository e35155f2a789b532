"""The journal of a fleet: one JSON line a model that is done, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nnea_graph.errors import OutputError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that was analyzed; ``key`` is of its bytes, the options and the version of the program."""

    path: str
    key: str
    exit_code: int
    error: str


class Journal:
    """A file of entries; the last one of a path counts, and a torn last line is dropped."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def entries(self) -> Mapping[str, Entry]:
        """Entries of what is done, by path."""
        try:
            lines = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise OutputError(f"{self._file}: cannot be read: {error.strerror}") from error
        found = {}
        for line in lines[:-1]:
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue
            found[entry.path] = entry
        return found

    def append(self, entry: Entry) -> None:
        """Write an entry and force it to the disk; a torn line before it is ended first.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with self._file.open("ab+") as file:
                file.seek(max(0, file.tell() - 1))
                torn = file.read(1) not in {b"", b"\n"}
                file.write((b"\n" if torn else b"") + json.dumps(asdict(entry)).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self._file}: cannot be written: {error.strerror}") from error


def key_of(path: str, options: Sequence[str], version: str) -> str:
    """The identity of an analysis: the bytes of the model and of what lies beside it, the options, the version."""
    whole = hashlib.sha256(json.dumps([list(options), version]).encode())
    for file in _files(Path(path)):
        try:
            with file.open("rb") as opened:
                while piece := opened.read(_CHUNK):
                    whole.update(piece)
        except OSError:
            whole.update(b"unreadable")
    return whole.hexdigest()


def _files(path: Path) -> list[Path]:
    """A model's own files: a folder's, or the file with the data that is called like it."""
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file())
    beside = path.with_name(f"{path.name}.data")
    return [path, beside] if beside.is_file() else [path]
