"""Output files: whole or not at all, several as one, and nobody else's lost."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from nnea_graph.errors import OutputError

Pieces = Iterable[str] | Iterable[bytes]
_MARK = ".nnea-graph"
"""The suffix of a file that is not in its place yet."""


def write_outputs(
    files: Mapping[Path, Pieces | None],
    *,
    force: bool,
    seal: Path | None = None,
    ready: Callable[[Mapping[Path, int]], None] | None = None,
) -> None:
    """Write files as one: all beside their places and on the disk, then each into its place, in this order.

    A pipe or a device is written to as it is, never replaced. Killed at any point, every file is the older one or
    the new one, and where they are of both kinds, ``seal`` is missing.

    Args:
        files: their contents by place; None takes the file away.
        force: whether a file that is there may be replaced.
        seal: the file that tells readers that the others are whole; the last one unless told.
        ready: called with the inode of each new file, before the first comes into its place.

    Raises:
        OutputError: one cannot be written, or is there without ``force``; what was new is taken away again.
    """
    remove_leftovers(path for path in files if not is_stream(path))
    with ExitStack() as stack:
        temporaries = {
            path: stack.enter_context(_temporary(path, pieces))
            for path, pieces in files.items()
            if pieces is not None and not _written_in_place(path, pieces)
        }
        if ready is not None:
            ready({path: each.inode for path, each in temporaries.items()})
        _swap(files, temporaries, seal or list(files)[-1], force=force)


def write_output(path: Path, pieces: Pieces, *, force: bool) -> None:
    """Write one file, as ``write_outputs`` does."""
    write_outputs({path: pieces}, force=force)


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Take away what killed runs have left of these outputs, beside their places."""
    import fcntl  # noqa: PLC0415 - only outputs need it

    starts: dict[Path, list[str]] = {}
    for path in paths:
        starts.setdefault(path.parent, []).append(f".{path.name}.")
    for folder, prefixes in starts.items():
        for each in sorted(folder.glob(f".*{_MARK}")):
            if not each.name.startswith(tuple(prefixes)):
                continue
            with suppress(OSError), each.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer, while it lives, has it locked
                each.unlink()


class _Temporary:
    """A file beside its place; it keeps its inode when it comes there."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.inode = os.fstat(file.fileno()).st_ino

    def put(self, place: Path, *, force: bool) -> None:
        """Move it to its place, over an older one only by force."""
        if force:
            os.replace(self.path, place)  # noqa: PTH105 - a test counts the calls of os
            return
        try:
            os.link(self.path, place)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.replace(self.path, place)  # noqa: PTH105


@contextmanager
def _temporary(path: Path, pieces: Pieces) -> Iterator[_Temporary]:
    import fcntl  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        with _named(path):
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_MARK, dir=path.parent)
            stack.callback(_forget, name)
            file = os.fdopen(descriptor, "wb")
            stack.callback(_close, file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.writelines(_encoded(pieces))
            file.flush()
            os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())  # noqa: PTH101 - mkstemp makes private files
            made = _Temporary(Path(name), file)
        yield made


def _forget(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)  # noqa: PTH108


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # what could not be written fails again
        file.close()


def _swap(
    files: Mapping[Path, Pieces | None], temporaries: Mapping[Path, _Temporary], seal: Path, *, force: bool
) -> None:
    order = [path for path in files if path in temporaries or files[path] is None]
    before = order[: order.index(seal)] if seal in order else []
    new: list[Path] = []
    sealed = False
    try:
        if force and any(os.path.lexists(path) for path in before):
            _remove(seal)
        for path in order:
            if path not in temporaries:
                _remove(path)
                continue
            is_new = not os.path.lexists(path)
            with _named(path):
                temporaries[path].put(path, force=force)
            sealed = sealed or path == seal
            if is_new:
                new.append(path)
        for folder in dict.fromkeys(path.parent for path in order):
            _sync(folder)
    except BaseException:
        if not sealed:  # otherwise the set is whole: what failed is only what goes afterwards
            for path in new:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108
        raise


def _remove(path: Path) -> None:
    with _named(path), suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def _sync(folder: Path) -> None:
    """Let the names of its files be on the disk, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_stream(path: Path) -> bool:
    """Tells whether it is written to as it is: a pipe, a device, what /dev/stdout leads to."""
    if path.absolute().parts[1:2] in {("dev",), ("proc",)}:
        return not path.absolute().is_relative_to("/dev/shm")  # noqa: S108 - an ordinary folder, in memory
    return path.exists() and not path.is_file() and not path.is_dir()


def _written_in_place(path: Path, pieces: Pieces) -> bool:
    if not is_stream(path):
        return False
    with _named(path), suppress(BrokenPipeError), path.open("wb") as file:
        file.writelines(_encoded(pieces))
    return True


def _encoded(pieces: Pieces) -> Iterator[bytes]:
    for each in pieces:
        yield each if isinstance(each, bytes) else each.encode("utf-8", "backslashreplace")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise OutputError(f"{path}: was created during this run; use --force to overwrite") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; give another place") from error


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Stream of the data; a reader that closes early (``| head``) is no error.

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
    """Sends what is still buffered nowhere, or Python would complain about it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
