"""Speed-up of a model over another one, with reasons where there is none."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nnea_graph.report.schema.verification import FASTER, NOT_CLEAR, SLOWER, ModelSize, Speed
from nnea_graph.report.units import percent
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.latency import interleaved
from nnea_graph.runtime.session.operator_profile import seconds_by_operator
from nnea_graph.runtime.session.session import Session, Settings, session_of

Feeds = Mapping[str, NDArray[Any]]

_WORK_SECONDS = 0.004
"""Runs are repeated up to this before the clock is read again: it is about as fine as the machine is steady."""

_PRODUCTS = re.compile("Conv|Gemm|MatMul|Attention|LSTM|GRU|RNN|Einsum")
"""In the names of operators that multiply matrices, fused ones too."""

_WORTH = 1.05
"""Less than this is no speed-up that anybody would notice."""

_OVERHEAD_SECONDS = 1e-4
"""Shorter runs are mostly onnxruntime's own work between the operators, which its profile does not see."""

LEAST_ROUNDS = 6
"""From fewer values no interval holds a median with 95 %: all of them do with 1 - 2 ** (1 - n)."""


def speed_of(
    original: Written, pruned: Written, feeds: Feeds, threads: Sequence[int], rounds: int
) -> list[Speed]:
    """Both in turn, at each number of threads.

    Raises:
        RunError: one of them cannot be run.
    """
    return [_at(original, pruned, feeds, count, rounds) for count in threads]


def _at(original: Written, pruned: Written, feeds: Feeds, threads: int, rounds: int) -> Speed:
    before, after = (session_of(each, Settings(threads, native=True)) for each in (original, pruned))
    return speed_between(before, after, feeds, threads, rounds)


def speed_between(before: Session, after: Session, feeds: Feeds, threads: int, rounds: int) -> Speed:
    """Two sessions of so many threads in turn.

    Raises:
        RunError: one of them cannot be run.
    """
    times = _repeats(before, feeds)
    works = {name: _work(session, feeds, times) for name, session in (("a", before), ("b", after))}
    found = interleaved(works, rounds)
    mine, other = found["a"], found["b"]
    low, high = 1 / other.high, 1 / other.low
    return Speed(
        threads,
        mine.median / times,
        other.median / times,
        1 / other.ratio,
        low,
        high,
        rounds,
        verdict_of(low, high, rounds),
    )


def verdict_of(low: float, high: float, rounds: int) -> str:
    """Verdict that an interval of 95 % says of a speed-up.

    >>> verdict_of(1.1, 1.2, 30), verdict_of(0.9, 1.2, 30), verdict_of(1.1, 1.2, 2)
    ('faster', 'not clear', 'not clear')
    """
    if rounds < LEAST_ROUNDS or low <= 1 <= high:
        return NOT_CLEAR
    return FASTER if low > 1 else SLOWER


def _repeats(session: Session, feeds: Feeds) -> int:
    """Tells how many runs make up one that can be timed."""
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
    """Reason why no speed-up is to be expected, by where the original spends its time; "" where that is not to be said.

    It is where the intervals leave room for none, or do not say and the time of the operators does.

    Raises:
        RunError: the original cannot be run.
    """
    if _noticed(speed):
        return ""
    seconds = seconds_by_operator(original, feeds, Settings(threads=1, native=True))
    share = _share_of_products(seconds)
    before, after = (size.macs for size in sizes)
    said = f"operators with multiply-accumulates take {percent(share)} of the original's time"
    denied = all(each.rounds >= LEAST_ROUNDS and each.high < _WORTH for each in speed)
    if not before or after is None:
        return said if denied else ""
    left = after / before
    most = 1 / (1 - share * (1 - left))
    said += f" and keep {percent(left)} of them: at most {most:.2f}x"
    if most < _WORTH and (denied or min(each.before for each in speed) >= _OVERHEAD_SECONDS):
        return f"{said}; {_others(seconds)}"
    blamed = "but the runtime is not faster at the channel counts that are left; try --align 16"
    return f"{said}, {blamed}" if denied else ""


def unclear(speed: Sequence[Speed]) -> str:
    """Reason why the measurement says nothing, where it shows no speed-up."""
    if _noticed(speed):
        return ""
    least = min(speed, key=lambda each: each.before)
    if min(each.rounds for each in speed) < LEAST_ROUNDS:
        return f"{least.rounds} rounds are too few to tell; take --rounds {LEAST_ROUNDS} or more"
    ways = "take more --rounds"
    if least.before < _OVERHEAD_SECONDS:
        ways = (
            f"a run takes {1000 * least.before:.3g} ms, mostly overhead; time more samples with --run-samples"
        )
    return f"the intervals hold a speed-up and none; {ways}"


def _noticed(speed: Sequence[Speed]) -> bool:
    return any(each.verdict == FASTER and each.high >= _WORTH for each in speed)


def _share_of_products(seconds: Mapping[str, float]) -> float:
    total = sum(seconds.values())
    return sum(spent for name, spent in seconds.items() if _PRODUCTS.search(name)) / total if total else 0.0


def _others(seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    rest = sorted((-spent, name) for name, spent in seconds.items() if not _PRODUCTS.search(name))
    listed = ", ".join(f"{name} {percent(-spent / total)}" for spent, name in rest[:3])
    return f"the rest is {listed}" if listed else "so little was removed"
