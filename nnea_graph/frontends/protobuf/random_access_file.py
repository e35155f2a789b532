"""A regular file that is read by position, from any thread, without its bytes staying in memory."""

from __future__ import annotations

import mmap
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import ModelError

OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""O_NONBLOCK: opening a FIFO that nobody writes would otherwise wait for ever."""


class NotRegularError(ModelError):
    """Something other than a regular file was opened; ``kind`` says what, in words."""

    def __init__(self, name: str, mode: int) -> None:
        self.kind = kind_of(mode)
        super().__init__(f"{name} is {self.kind}, not a regular file")


class DataFile:
    """An open regular file; takes over ``descriptor`` and closes it when nobody holds the object any more.

    With ``reopen`` the descriptor is not held but opened for each read, and must still be the same file.
    """

    def __init__(self, descriptor: int, name: str, reopen: Callable[[], int] | None = None) -> None:
        self.name = name
        self._finalizer = weakref.finalize(self, os.close, descriptor)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise NotRegularError(name, status.st_mode)
        self.size = status.st_size
        self.identity = (status.st_dev, status.st_ino)
        # The number of a deleted file is given to the next one, so the time belongs to it.
        self._stamp = _stamp(status)
        self._descriptor = descriptor
        self._reopen = reopen
        if reopen:
            self.close()

    def close(self) -> None:
        """Close the descriptor; reading afterwards is an error."""
        self._finalizer()

    def read(self, offset: int, length: int) -> NDArray[np.uint8]:
        """So many bytes from there on, in memory of their own.

        Raises:
            ModelError: the file has become shorter, has been replaced, or cannot be read.
        """
        buffer = np.empty(length, np.uint8)
        try:
            with self._opened() as descriptor:
                self._fill(descriptor, buffer.data, offset)
        except OSError as error:
            raise ModelError(f"{self.name} cannot be read: {error.strerror}") from error
        return buffer

    def _fill(self, descriptor: int, view: memoryview, offset: int) -> None:
        """One call reads at most 2 GiB, so several may be needed."""
        done = 0
        while done < len(view):
            # pread rather than mmap: mapped pages would count as resident memory until the kernel wants
            # them back, and a file cut short by somebody else would kill the process with SIGBUS.
            count = os.preadv(descriptor, [view[done:]], offset + done)
            if not count:
                raise ModelError(f"{self.name} became shorter while it was read; use a file nobody writes to")
            done += count

    @contextmanager
    def _opened(self) -> Iterator[int]:
        if self._reopen is None:
            if not self._finalizer.alive:
                raise ModelError(f"{self.name} is closed; read the model again")
            yield self._descriptor
            return
        descriptor = self._reopen()
        try:
            if _stamp(os.fstat(descriptor)) != self._stamp:
                raise ModelError(f"{self.name} was replaced while it was read; use a file nobody writes to")
            yield descriptor
        finally:
            os.close(descriptor)

    def mapped(self) -> NDArray[np.uint8]:
        """The whole file as pages that are read when they are touched, for a runtime that copies no weights.

        Raises:
            ModelError: the file has been replaced, or cannot be mapped.
        """
        try:
            with self._opened() as descriptor:
                return np.frombuffer(mmap.mmap(descriptor, self.size, access=mmap.ACCESS_READ), np.uint8)
        except (OSError, ValueError) as error:
            raise ModelError(f"{self.name} cannot be mapped: {error}") from error

    @property
    def held(self) -> bool:
        """Tells whether the descriptor is open, and not only for the time of a read."""
        return self._finalizer.alive

    @property
    def descriptor(self) -> int:
        """The open descriptor, for whoever maps the file."""
        return self._descriptor


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


_KINDS = {
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}


def kind_of(mode: int) -> str:
    """Kind of file that a mode stands for, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")
