"""Output files and folders: whole or not at all, and nobody else's lost."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from nnea_graph.errors import OutputError

REPORT = "report.json"
PICTURES = tuple(f"{name}.{form}" for name in ("pathways", "flow", "graph") for form in ("dot", "svg"))
_LOCK = ".nnea-graph.lock"


def write_whole(path: Path, pieces: Iterable[str]) -> None:
    """Write a text file, see ``whole_file``."""
    with whole_file(path) as file:
        file.writelines(piece.encode("utf-8", "backslashreplace") for piece in pieces)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write beside its place; at the end it is forced to the disk and put there in one step.

    A pipe or a device is written to as it is, never replaced.

    Raises:
        OutputError: it cannot be written; nothing is left behind, and an older file stays as it was.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                yield file
        else:
            with _replacement(path) as file:
                yield file
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; give another place") from error


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101 - mkstemp makes private files
        os.replace(temporary, path)  # noqa: PTH105
    finally:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - "" where nothing was made


@contextmanager
def whole_pair(path: Path, beside: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Two files of which the first needs the second, each as ``whole_file`` has it.

    The first is there only with the second one that belongs to it: an older first one goes before the second comes.

    Raises:
        OutputError: one cannot be written; nothing new is left behind.
    """
    there = beside.exists()
    try:
        with whole_file(path) as file, whole_file(beside) as other:
            yield file, other
            for each in (file, other):  # a disk that is full is found before anything is put in its place
                each.flush()
                os.fsync(each.fileno())
            path.unlink(missing_ok=True)
    except BaseException:
        if not there:
            beside.unlink(missing_ok=True)
        raise


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Where data goes; a reader that has seen enough (``| head``) is no error.

    Raises:
        OutputError: it is closed, or what it leads to is full.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed; name a file: --format json=report.json")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_standard_output()
    except OSError as error:
        _drop_standard_output()
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; give another place"
        ) from error


def _drop_standard_output() -> None:
    """What is still buffered goes nowhere, or Python would complain about it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def output_folder(folder: Path, *, force: bool) -> Iterator[None]:
    """Hold a folder for this run alone.

    Raises:
        OutputError: it cannot be made, another run holds it, or it has a report and ``force`` is not given.
    """
    import fcntl  # noqa: PLC0415 - only runs with -o need it

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be used as output folder: {error.strerror}; give another"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(
                f"{folder}: another run writes there; wait for it or give another folder"
            ) from error
        if not os.fstat(lock).st_nlink:  # a run that has just ended took the lock with it
            raise OutputError(f"{folder}: another run wrote there; try again or give another folder")
        if (folder / REPORT).exists() and not force:
            raise OutputError(
                f"{folder}: has a report already; give another folder, or --force to replace it"
            )
        yield
    finally:
        with suppress(OSError):
            (folder / _LOCK).unlink()
        os.close(lock)


def write_folder(folder: Path, files: Mapping[str, Iterable[str]], ours: Iterable[str] = ()) -> None:
    """Write several files; the report comes last, so that a folder with a report is complete.

    Files named in ``ours`` that are not written anew belong to the report that is replaced, and go with it.
    """
    for name in ours:
        if name not in files:
            with suppress(OSError):
                (folder / name).unlink()
    for name, pieces in sorted(files.items(), key=lambda item: item[0] == REPORT):
        write_whole(folder / name, pieces)
