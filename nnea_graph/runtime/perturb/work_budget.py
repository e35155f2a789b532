"""Budget of work: whether one more measurement fits into what measuring may take, whatever the load of the machine."""

from __future__ import annotations

import time

OPERATIONS_PER_SECOND = 10_000_000_000
"""What one second stands for: about what two cores do in a model of some size."""

_PER_OPERATOR = 50_000
"""What calling an operator takes, by the same rate: 5 microseconds."""
_PER_WEIGHT = 300
"""What choosing, altering and handing over one weight takes, by the same rate: 30 nanoseconds."""

_PATIENCE, _START_SECONDS = 10, 60.0
"""By the clock a machine may be so much slower, before it is taken to hang."""


def hang_seconds(seconds: float) -> float:
    """Seconds by the clock after which work of ``seconds`` is taken to hang."""
    return _PATIENCE * seconds + _START_SECONDS


def sample_operations(work: int, operators: int, batch_size: int) -> int:
    """Operations that one sample takes: ``work`` in operations, and its share of the calls that a batch takes."""
    return work + _PER_OPERATOR * max(operators, 1) // batch_size


def fitting_samples(seconds: float, sample: int) -> int:
    """Count of how many samples of so many operations ``seconds`` of work are enough for; one at least."""
    return max(1, int(seconds * OPERATIONS_PER_SECOND / max(sample, 1)))


class WorkBudget:
    """``run`` is what one run of all samples takes, in operations; ``stop`` (of ``time.monotonic``) ends what hangs."""

    def __init__(self, seconds: float, sample: int, hang: float) -> None:
        """Budget of ``seconds`` of work, of which a sample takes ``sample`` operations; ``hang`` is by the clock."""
        self._most = seconds * OPERATIONS_PER_SECOND
        self._sample = sample
        self._spent = 0
        self._started = time.monotonic()
        self.stop = self._started + hang
        self.run = 0

    def take_samples(self, samples: int) -> None:
        """So many are used: they have been run once, and once more to compare with."""
        self.run = self._sample * samples
        self._spent += 2 * self.run

    def fits(self, weights: int) -> bool:
        """Tells whether there is room for a run with so many weights altered."""
        return self._spent + self.cost(weights) <= self._most and time.monotonic() < self.stop

    def cost(self, weights: int) -> int:
        """Operations of such a run."""
        return self.run + _PER_WEIGHT * weights

    def spend(self, weights: int) -> None:
        """Count such a run."""
        self._spent += self.cost(weights)

    def left(self, weights: int, points: int) -> float:
        """Seconds by the clock until all is measured or the budget is spent, at the pace so far; for display only."""
        wanted = points * self.run + _PER_WEIGHT * weights
        pace = (time.monotonic() - self._started) / max(self._spent, 1)
        return max(0.0, min(wanted, self._most - self._spent)) * pace
