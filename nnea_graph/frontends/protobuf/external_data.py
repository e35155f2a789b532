"""Opens external data files: regular files in the model's folder, reached without following links."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from nnea_graph.errors import ExternalDataError, LimitError
from nnea_graph.frontends.protobuf.random_access_file import OPEN_FLAGS, DataFile, NotRegularError, kind_of
from nnea_graph.frontends.protobuf.strings import shown
from nnea_graph.frontends.shared.limits import GIB, Limits

KEPT_OPEN = 64
"""Files of one model whose descriptors are held; a model may have thousands, a process has about 1,000."""

_SHARED_FREELY = GIB

_LINK_HELP = "pass --allow-external DIR if it lies in a folder that you trust"

# O_PATH: folders that may be entered but not listed are enough.
_FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC

_PATH_RULES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("memory-address", lambda path: "_ORT_MEM_ADDR_" in path),
    ("nul-in-path", lambda path: "\0" in path),
    ("backslash", lambda path: "\\" in path),
    ("absolute-path", lambda path: path.startswith("/")),
    ("drive-letter", lambda path: bool(re.match("[A-Za-z]:", path))),
    ("parent-folder", lambda path: ".." in path.split("/")),
    ("empty-path", lambda path: not _parts(path)),
    ("folder", lambda path: path.endswith("/")),
)


class _BrokenRuleError(Exception):
    """A rule that a file breaks, before it is known whose file that is."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail


class ExternalFiles:
    """The external data files of one model, whose own file has ``own_bytes``.

    ``folder`` is the model's, None where it has none; ``allow`` a folder in which links and hard links may
    end (the cache of Hugging Face is made of them).
    """

    def __init__(self, folder: Path | None, allow: Path | None, limits: Limits, own_bytes: int = 0) -> None:
        self.opened: dict[str, DataFile] = {}
        self.size_bytes = 0
        """Bytes of all files opened so far, each counted once."""
        self._known: set[tuple[int, int]] = set()
        self._folder = folder
        self._allow = allow
        self._limits = limits
        self._own_bytes = own_bytes
        self._used: set[tuple[str, int, str]] = set()
        self._used_bytes = 0

    def open(self, location: str, tensor: str) -> DataFile:
        """The file at a tensor's location, opened once.

        Raises:
            ExternalDataError: it breaks a rule; names tensor and rule.
        """
        file = self.opened.get(location)
        if file is None:
            file = self._open(location, tensor)
            self.opened[location] = file
            self._add_size(file)
        return file

    def count(self, use: tuple[str, int, str], size: int) -> None:
        """Note that a tensor (location, offset, name) takes so many bytes of a file.

        Raises:
            ExternalDataError: thousands of tensors on one region, which no honest file has.
        """
        if use in self._used:
            return
        self._used.add(use)
        self._used_bytes += size
        if self._used_bytes > max(_SHARED_FREELY, self._limits.sharing * self.size_bytes):
            detail = (
                f"{len(self._used):,} tensors take {self._used_bytes:,} bytes out of files of "
                f"{self.size_bytes:,}; if that is right, raise it with --limit sharing=N"
            )
            raise refusal(use[2], "sharing", detail)

    def _add_size(self, file: DataFile) -> None:
        if file.identity not in self._known:
            self._known.add(file.identity)
            self.size_bytes += file.size
        size = self._own_bytes + self.size_bytes
        if size > self._limits.file_bytes:
            raise LimitError(
                f"the model and its external data have {size:,} bytes, over {self._limits.file_bytes:,}; "
                f"raise it with --limit file_bytes=N"
            )

    def _open(self, location: str, tensor: str) -> DataFile:
        try:
            find = partial(_descriptor, location, self._folder, self._allow)
            descriptor = find()
            name = f"external data file {shown(location)}"
            return DataFile(descriptor, name, find if len(self.opened) >= KEPT_OPEN else None)
        except _BrokenRuleError as broken:
            raise refusal(tensor, broken.rule, f"{shown(location)} {broken.detail}") from broken
        except NotRegularError as error:
            raise refusal(tensor, "not-a-file", str(error)) from error


def _descriptor(location: str, folder: Path | None, allow: Path | None) -> int:
    """The open file at a location, if every rule is kept."""
    for rule, breaks in _PATH_RULES:
        if breaks(location):
            raise _BrokenRuleError(rule, "is no path inside the model's folder; save the model again")
    if folder is None:
        raise _BrokenRuleError("no-folder", "cannot be found: the model was given without its folder")
    try:
        return _open_beneath(folder, _parts(location), links=False)
    except _BrokenRuleError as broken:
        if allow is None or broken.rule not in {"symlink", "hard-link"}:
            raise
    return _open_allowed(folder / location, allow)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _open_beneath(folder: Path, parts: list[str], *, links: bool) -> int:
    """Open folder after folder, so that nothing that is exchanged meanwhile leads out."""
    try:
        place = os.open(folder, _FOLDER_FLAGS)
        for part in parts[:-1]:
            place = _step(place, part, stat.S_ISDIR, _FOLDER_FLAGS)
        descriptor = _step(place, parts[-1], stat.S_ISREG, OPEN_FLAGS)
    except FileNotFoundError as error:
        raise _BrokenRuleError("missing", "does not exist; put it beside the model") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name cannot be a file's"
        raise _BrokenRuleError("unreadable", f"cannot be opened: {reason}") from error
    if not links and os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise _BrokenRuleError("hard-link", f"has a second name (hard link); copy it, or {_LINK_HELP}")
    return descriptor


def _step(place: int, part: str, expected: Callable[[int], bool], flags: int) -> int:
    """Open one part of a path inside an open folder, and close that."""
    try:
        mode = os.lstat(part, dir_fd=place).st_mode
        if stat.S_ISLNK(mode):
            raise _BrokenRuleError("symlink", f"is or passes a symbolic link; copy the file, or {_LINK_HELP}")
        if not expected(mode):
            raise _BrokenRuleError("not-a-file", f"is or passes {kind_of(mode)}; it must be a regular file")
        return os.open(part, flags | os.O_NOFOLLOW, dir_fd=place)
    finally:
        os.close(place)


def _open_allowed(path: Path, allow: Path) -> int:
    """The file that links lead to, if it lies in the folder that the user allows."""
    root, target = Path(os.path.realpath(allow)), Path(os.path.realpath(path))
    if target == root or not target.is_relative_to(root):
        raise _BrokenRuleError("outside-allowed", f"leads out of {shown(str(allow))} (--allow-external)")
    return _open_beneath(root, list(target.relative_to(root).parts), links=True)


def entries_of(pairs: list[tuple[str, str]], tensor: str) -> dict[str, str]:
    """The entries of a tensor's external data by key; none may be there twice."""
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise refusal(tensor, "entry-twice", "a key is given twice")
    if "location" not in entries:
        raise refusal(tensor, "empty-path", "no location is given")
    return entries


def offset_of(entries: Mapping[str, str], demanded: int, size: int, tensor: str) -> int:
    """Finds where a tensor starts in a file of ``size`` bytes, of which its type and dims take ``demanded``.

    Raises:
        ExternalDataError: the place or the length cannot be.
    """
    offset = _number(entries, "offset", 0, tensor)
    length = _number(entries, "length", demanded, tensor)
    if length != demanded:
        detail = f"length {length:,} is given, its type and dims take {demanded:,} bytes"
        raise refusal(tensor, "wrong-length", detail)
    if offset > size or length > size - offset:
        detail = f"offset {offset:,} with length {length:,} ends outside the file of {size:,} bytes"
        raise refusal(tensor, "out-of-range", detail)
    return offset


def _number(entries: Mapping[str, str], key: str, default: int, tensor: str) -> int:
    """A decimal number; int() alone would take signs, spaces, underscores and other scripts' digits."""
    value = entries.get(key)
    if value is None:
        return default
    if not re.fullmatch("[0-9]{1,20}", value):
        raise refusal(tensor, "bad-number", f"{key} {shown(value)} is no number of bytes")
    return int(value)


def refusal(tensor: str, rule: str, detail: str) -> ExternalDataError:
    """The error for a tensor whose external data breaks a rule."""
    return ExternalDataError(f"external data of tensor {shown(tensor)}: {detail} (rule {rule})")
