"""Latency of models side by side, so that a busy moment of the machine falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLED = 1000
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds a run: the median over the rounds, the least, and a 95 % interval of the median's ratio to the first.

    ``ratio`` is the median over rounds of this time by the first one's in the same round.
    """

    median: float
    least: float
    ratio: float
    low: float
    high: float


def interleaved(
    works: Mapping[str, Callable[[], object]], rounds: int = 10, seed: int = 0
) -> dict[str, Latency]:
    """Time of each piece of work, run in turn; the first one is what the others are compared with.

    The interval is a bootstrap over the rounds; ``seed`` makes its draws the same each time. Every other round runs
    backwards: what comes back with the round's period on a busy machine would else fall on one of them alone.
    """
    for work in works.values():
        work()
    seconds = np.array([_round(list(works.values()), backwards=bool(at % 2)) for at in range(rounds)])
    rng = np.random.default_rng(seed)
    draws = rng.integers(rounds, size=(_RESAMPLED, rounds))
    return {name: _latency(seconds[:, place], seconds[:, 0], draws) for place, name in enumerate(works)}


def _round(works: Sequence[Callable[[], object]], *, backwards: bool) -> list[float]:
    found = [_seconds(work) for work in (reversed(works) if backwards else works)]
    return found[::-1] if backwards else found


def _seconds(work: Callable[[], object]) -> float:
    # onnxruntime's threads spin on for a while after a run, in the way of the next one.
    time.sleep(_PAUSE_SECONDS)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _latency(mine: NDArray[np.float64], first: NDArray[np.float64], draws: NDArray[np.int64]) -> Latency:
    ratios = mine / first
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return Latency(
        float(np.median(mine)), float(mine.min()), float(np.median(ratios)), float(low), float(high)
    )
