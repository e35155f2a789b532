"""A second process that measures weights, as counting them holds Python's lock half of the time.

It inherits open files, is told over a pipe which elements to count, and answers with integers. It gives an
answer or dies: whoever asked counts what is not answered.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import DTYPES, Region
from nnea_graph.graph.constants import CHUNK
from nnea_graph.graph.dtypes import decode
from nnea_graph.stats.accumulator import THRESHOLDS, Accumulator, accumulate
from nnea_graph.stats.histogram import Cells, Counter

_MARK = b"nnea\0\1\2\3"
"""Begins an answer, so that a line which something prints at start-up is not taken for one."""

_REQUEST = struct.Struct("<iqiqq")  # descriptor, offset, code of the type, start, stop
_ANSWER = struct.Struct(f"<8s4q2d{len(THRESHOLDS)}q2q")  # mark, accumulator, first cell, number of cells

_PIPE_BYTES = 1 << 20  # what Linux allows anybody; at 64 KiB, each refill waits for Python's lock
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Worker:
    """The process, seen from the one that started it; it can read the files of the descriptors.

    Raises:
        OSError: it cannot be started; so do all methods once it has died.
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        if not sys.executable:
            raise FileNotFoundError("it is not known where Python is")
        # The same packages as here, but for the empty entry: nothing is imported from the current folder.
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "nnea_graph.stats.count_worker"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD | {"PYTHONPATH": paths},
            pass_fds=tuple(descriptors),
            pipesize=_PIPE_BYTES,
        )
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, region: Region, start: int, stop: int) -> None:
        """Have elements ``start`` to ``stop`` counted; ``start`` is where a byte begins."""
        self._requests.write(_REQUEST.pack(region.descriptor, region.offset, region.dtype.code, start, stop))

    def answer(self) -> Accumulator:
        """Wait for the oldest question's answer."""
        mark, finite, zeros, nan, inf, low, top, *rest = _ANSWER.unpack(self._read(_ANSWER.size).data)
        if mark != _MARK:
            raise ConnectionError("the worker says something else")
        *below, first, cells = rest
        table = self._read(16 * cells).view(np.int64).reshape(2, cells)
        return Accumulator(finite, zeros, nan, inf, low, top, tuple(below), Cells(first, table))

    def _read(self, size: int) -> NDArray[np.uint8]:
        buffer = np.empty(size, np.uint8)
        _fill(buffer, self._answers.fileno())
        return buffer

    def kill(self) -> None:
        """End it at once: whoever waits for an answer gets an error."""
        self._process.kill()

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Raises:
        OSError: a file cannot be read, or has become shorter.
    """
    counter = Counter(CHUNK)
    while request := requests.read(_REQUEST.size):
        descriptor, offset, code, start, stop = _REQUEST.unpack(request)
        acc = accumulate(_elements(Region(descriptor, offset, DTYPES[code]), start, stop), counter)
        table = acc.cells.table
        numbers = (acc.finite, acc.zeros, acc.nan, acc.inf, acc.min, acc.max, *acc.below)
        answers.write(_ANSWER.pack(_MARK, *numbers, acc.cells.low, table.shape[1]))
        answers.write(np.ascontiguousarray(table).data)
        answers.flush()


def _elements(region: Region, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
    """The elements, a chunk at a time; a chunk begins where a byte does."""
    nbytes = region.dtype.nbytes
    buffer = np.empty(nbytes(CHUNK), np.uint8)
    for first in range(start, stop, CHUNK):
        last = min(first + CHUNK, stop)
        raw = buffer[: nbytes(last) - nbytes(first)]
        _fill(raw, region.descriptor, region.offset + nbytes(first))
        yield decode(raw, region.dtype, 0, last - first)


def _fill(buffer: NDArray[np.uint8], descriptor: int, place: int | None = None) -> None:
    """Read until the buffer is full: what comes next, or what lies from byte ``place`` on."""
    done = 0
    while done < buffer.size:
        rest = [buffer.data[done:]]
        count = os.readv(descriptor, rest) if place is None else os.preadv(descriptor, rest, place + done)
        if not count:
            raise ConnectionError("there is no more to read")
        done += count


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the main process, which ends this one
    serve(sys.stdin.buffer, sys.stdout.buffer)
