"""Measures many constants, with processes beside this one where there is enough for them to do."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Semaphore, Thread

from nnea_graph.graph import Constant, Region, Stored
from nnea_graph.graph.constants import CHUNK
from nnea_graph.stats.accumulator import Accumulator, accumulate
from nnea_graph.stats.count_worker import Worker
from nnea_graph.stats.histogram import Counter

WORTH = 1 << 26
"""Elements in files that are worth a process: counting them takes longer than starting it."""

PIECE = 1 << 24
"""Most elements that are counted at once."""

SMALLEST = 1 << 20
"""Fewer elements are counted sooner than the answer of another process is read."""

_AHEAD = 2  # pieces that a worker has been told of, so that it never waits for the next
_WAITING = 8  # pieces taken and not yet collected: an answer takes some MB

Finish = Callable[[int, Accumulator], None]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Elements of constant number ``index``; others can read them in ``region``, if there is one."""

    index: int
    start: int
    stop: int
    region: Region | None = None


def measure_each(
    constants: Sequence[Constant],
    finish: Finish,
    processes: int = 1,
    load: Callable[[Constant], Constant] = lambda constant: constant,
) -> None:
    """Count the elements of each constant, and hand over its index and accumulator as soon as it is done.

    That happens on this thread and in any order; the counts do not depend on ``processes``, of which there
    are as many as are worth it. Whatever another process does not answer is counted here. ``load`` makes a
    constant ready to be read in pieces.

    Raises:
        PassError: the elements are not real numbers.
    """
    pieces = [list(_pieces(index, constant)) for index, constant in enumerate(constants)]
    tasks = _Tasks(piece for group in pieces for piece in group)
    sums = _Sums([len(group) for group in pieces], finish)
    counter = Counter(CHUNK)
    with _helpers(tasks, processes - 1):
        while sums.missing:
            piece = tasks.next()
            if piece:
                sums.add(piece, _measure(load(constants[piece.index]), piece, counter))
            for answer in tasks.answered(wait=not piece):
                sums.add(*answer)


def _pieces(index: int, constant: Constant) -> Iterator[_Piece]:
    """A large constant in a file comes in pieces, others as a whole."""
    region = constant.payload.region() if isinstance(constant.payload, Stored) else None
    if region is None or constant.size < SMALLEST:
        yield _Piece(index, 0, constant.size)
        return
    for start in range(0, constant.size, PIECE):
        yield _Piece(index, start, min(start + PIECE, constant.size), region)


def _measure(constant: Constant, piece: _Piece, counter: Counter) -> Accumulator:
    starts = range(piece.start, piece.stop, CHUNK)
    read = constant.payload.elements
    return accumulate((read(start, min(start + CHUNK, piece.stop)) for start in starts), counter)


class _Sums:
    """Puts the pieces of each constant together."""

    def __init__(self, pieces: list[int], finish: Finish) -> None:
        self.missing = sum(pieces)
        self._left = pieces
        self._parts: dict[int, Accumulator] = {}
        self._finish = finish

    def add(self, piece: _Piece, part: Accumulator) -> None:
        """Take in a piece; hand over the constant if it was the last one."""
        known = self._parts.pop(piece.index, None)
        if known:
            part.merge(known)
        self.missing -= 1
        self._left[piece.index] -= 1
        if self._left[piece.index]:
            self._parts[piece.index] = part
        else:
            self._finish(piece.index, part)


class _Tasks:
    """Tasks that nobody has begun, and what others have answered."""

    def __init__(self, pieces: Iterable[_Piece]) -> None:
        self._own: deque[_Piece] = deque()
        self.shared: deque[_Piece] = deque()
        for piece in pieces:
            (self.shared if piece.region else self._own).append(piece)
        self.elements = sum(piece.stop - piece.start for piece in self.shared)
        self._room = Semaphore(_WAITING)
        self._answers: SimpleQueue[tuple[_Piece, Accumulator] | None] = SimpleQueue()

    def next(self) -> _Piece | None:
        """A piece for this thread: what others cannot do first."""
        return _first(self._own) or _first(self.shared)

    def answered(self, *, wait: bool) -> Iterator[tuple[_Piece, Accumulator]]:
        """The answers that there are; with ``wait``, not before there is one or a helper has ended."""
        while wait or not self._answers.empty():
            wait = False
            answer = self._answers.get()
            if answer:
                self._room.release()
                yield answer

    def lend(self) -> _Piece | None:
        """A piece for a helper; waits while too many answers lie here."""
        self._room.acquire()  # given back by ``answered`` and ``ended``
        piece = _first(self.shared)
        if piece is None:
            self._room.release()
        return piece

    def answer(self, piece: _Piece, part: Accumulator) -> None:
        """Hand in a piece."""
        self._answers.put((piece, part))

    def ended(self, unanswered: Iterable[_Piece]) -> None:
        """Give back what a helper has not done; it takes no more."""
        for piece in unanswered:
            self.shared.append(piece)
            self._room.release()
        self._answers.put(None)

    def stop(self) -> None:
        """Give out no more, and let everybody know who waits."""
        self.shared.clear()
        self._room.release(_WAITING)


def _first(pieces: deque[_Piece]) -> _Piece | None:
    try:
        return pieces.popleft()
    except IndexError:
        return None


@contextmanager
def _helpers(tasks: _Tasks, most: int) -> Iterator[None]:
    """Keep workers busy, until the tasks are done or an error leaves them undone."""
    wanted = min(most, _cpus() - 1, tasks.elements // WORTH)
    workers = list(_started(tasks, wanted))
    threads = [Thread(target=_keep_busy, args=(worker, tasks)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        tasks.stop()
        for worker in workers:
            worker.kill()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.close()


def _started(tasks: _Tasks, wanted: int) -> Iterator[Worker]:
    """Starts as many workers as can be started."""
    descriptors = {piece.region.descriptor for piece in tasks.shared if piece.region}
    for _ in range(wanted):
        try:
            yield Worker(descriptors)
        except OSError:  # this process does all that there is to do
            return


def _keep_busy(worker: Worker, tasks: _Tasks) -> None:
    """Hand a worker pieces and collect its answers, until there are no more or it dies."""
    asked: deque[_Piece] = deque()
    try:
        while True:
            while len(asked) < _AHEAD and (piece := tasks.lend()):
                asked.append(piece)
                if piece.region:
                    worker.ask(piece.region, piece.start, piece.stop)
            if not asked:
                break
            part = worker.answer()
            tasks.answer(asked.popleft(), part)
    except OSError:  # the worker has died; what it has not done is done here
        pass
    finally:
        tasks.ended(asked)


def _cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
