"""A second process that measures weights, as counting them holds Python's lock half of the time.

It inherits open files, is told over a pipe which elements to count, and answers with integers. It gives an
answer or dies: whoever asked counts what is not answered.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import DTYPES, Region
from nnea_graph.graph.constants import CHUNK
from nnea_graph.graph.dtypes import decode
from nnea_graph.process.child import Child
from nnea_graph.process.framing import receive, send
from nnea_graph.process.serving import answering
from nnea_graph.stats.accumulator import THRESHOLDS, Accumulator, accumulate
from nnea_graph.stats.histogram import Cells, Counter

_REQUEST = struct.Struct("<iqiqq")  # descriptor, offset, code of the type, start, stop
_ANSWER = struct.Struct(f"<4q2d{len(THRESHOLDS)}qq")  # accumulator, first cell; the table of cells follows

_MOST_ANSWER = 1 << 30
_PIPE_BYTES = 1 << 20  # what Linux allows anybody; at 64 KiB, each refill waits for Python's lock
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Worker(Child):
    """The process, seen from the one that started it; it can read the files of the descriptors.

    Raises:
        OSError: it cannot be started; so do all methods once it has died.
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        super().__init__(
            "nnea_graph.stats.count_worker", descriptors, environment=_ONE_THREAD, pipe_bytes=_PIPE_BYTES
        )

    def ask(self, region: Region, start: int, stop: int) -> None:
        """Have elements ``start`` to ``stop`` counted; ``start`` is where a byte begins."""
        self.send(_REQUEST.pack(region.descriptor, region.offset, region.dtype.code, start, stop))

    def answer(self) -> Accumulator:
        """Wait for the oldest question's answer."""
        content = self.receive(_MOST_ANSWER)
        finite, zeros, nan, inf, low, top, *below, first = _ANSWER.unpack_from(content)
        table = np.frombuffer(content, np.int64, offset=_ANSWER.size).reshape(2, -1)
        return Accumulator(finite, zeros, nan, inf, low, top, tuple(below), Cells(first, table))


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more.

    Raises:
        OSError: a file cannot be read, has become shorter, or nobody asks any more.
    """
    counter = Counter(CHUNK)
    while True:
        descriptor, offset, code, start, stop = _REQUEST.unpack(receive(requests, _REQUEST.size))
        acc = accumulate(_elements(Region(descriptor, offset, DTYPES[code]), start, stop), counter)
        numbers = (acc.finite, acc.zeros, acc.nan, acc.inf, acc.min, acc.max, *acc.below)
        send(answers, _ANSWER.pack(*numbers, acc.cells.low), np.ascontiguousarray(acc.cells.table).data)


def _elements(region: Region, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
    """The elements, a chunk at a time; a chunk begins where a byte does."""
    nbytes = region.dtype.nbytes
    buffer = np.empty(nbytes(CHUNK), np.uint8)
    for first in range(start, stop, CHUNK):
        last = min(first + CHUNK, stop)
        raw = buffer[: nbytes(last) - nbytes(first)]
        _fill(raw, region.descriptor, region.offset + nbytes(first))
        yield decode(raw, region.dtype, 0, last - first)


def _fill(buffer: NDArray[np.uint8], descriptor: int, place: int) -> None:
    """Read what lies from byte ``place`` on, until the buffer is full."""
    done = 0
    while done < buffer.size:
        count = os.preadv(descriptor, [buffer.data[done:]], place + done)
        if not count:
            raise ConnectionError("there is no more to read")
        done += count


if __name__ == "__main__":
    with answering() as (requests, answers):
        serve(requests, answers)
