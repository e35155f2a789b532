"""How much faster a model is than another one, and why not where it is not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nnea_graph.report.schema_pruning import ModelSize, Speed
from nnea_graph.report.units import percent
from nnea_graph.runtime.model_proto import Written
from nnea_graph.runtime.profile import seconds_by_operator
from nnea_graph.runtime.sessions import Session, Settings, session_of
from nnea_graph.runtime.timing import interleaved

Feeds = Mapping[str, NDArray[Any]]

_WORK_SECONDS = 0.004
"""Runs are repeated up to this before the clock is read again: it is about as fine as the machine is steady."""

_PRODUCTS = re.compile("Conv|Gemm|MatMul|Attention|LSTM|GRU|RNN|Einsum")
"""In the names of operators that multiply matrices, fused ones too."""

_WORTH = 1.05
"""Less than this is no speed-up that anybody would notice."""


def speed_of(
    original: Written, pruned: Written, feeds: Feeds, threads: Sequence[int], rounds: int
) -> list[Speed]:
    """Both in turn, at each number of threads.

    Raises:
        RunError: one of them cannot be run.
    """
    return [_timed(original, pruned, feeds, count, rounds) for count in threads]


def _timed(original: Written, pruned: Written, feeds: Feeds, threads: int, rounds: int) -> Speed:
    sessions = [session_of(written, Settings(threads)) for written in (original, pruned)]
    times = _repeats(sessions[0], feeds)
    works = {name: _work(session, feeds, times) for name, session in zip(("a", "b"), sessions, strict=True)}
    found = interleaved(works, rounds)
    before, after = found["a"], found["b"]
    return Speed(
        threads,
        before.median / times,
        after.median / times,
        1 / after.ratio,
        1 / after.high,
        1 / after.low,
        rounds,
    )


def _repeats(session: Session, feeds: Feeds) -> int:
    """How many runs make up one that can be timed."""
    session.run(feeds)
    start = time.perf_counter()
    session.run(feeds)
    return max(1, round(_WORK_SECONDS / max(time.perf_counter() - start, 1e-6)))


def _work(session: Session, feeds: Feeds, times: int) -> Callable[[], object]:
    def work() -> None:
        for _ in range(times):
            session.run(feeds)

    return work


def no_speedup(
    original: Written, sizes: tuple[ModelSize, ModelSize], feeds: Feeds, speed: Sequence[Speed]
) -> str:
    """Why no speed-up is to be expected, by where the original spends its time; "" where one was measured.

    Raises:
        RunError: the original cannot be run.
    """
    if any(each.low >= _WORTH for each in speed):
        return ""
    seconds = seconds_by_operator(original, feeds, Settings(threads=1))
    total = sum(seconds.values())
    products = sum(spent for name, spent in seconds.items() if _PRODUCTS.search(name))
    share = products / total if total else 0.0
    before, after = (size.macs for size in sizes)
    said = f"operators with multiply-accumulates take {percent(share)} of the original's time"
    if not before or after is None:
        return said
    left = after / before
    most = 1 / (1 - share * (1 - left))
    said += f" and keep {percent(left)} of them: at most {most:.2f}x"
    if most < _WORTH:
        return f"{said}; {_others(seconds, total)}"
    return f"{said}, but the runtime is not faster at the channel counts that are left; try --align 16"


def _others(seconds: Mapping[str, float], total: float) -> str:
    rest = sorted((-spent, name) for name, spent in seconds.items() if not _PRODUCTS.search(name))
    listed = ", ".join(f"{name} {percent(-spent / total)}" for spent, name in rest[:3])
    return f"the rest is {listed}" if listed else "so little was removed"
