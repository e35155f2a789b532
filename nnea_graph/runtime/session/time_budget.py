"""Clock: whether one more measurement fits into the time that measuring may take."""

from __future__ import annotations

import time

_SECONDS_PER_WEIGHT = 3e-8
"""What altering takes, until it has been measured."""


class TimeBudget:
    """``run`` is what one run of all samples takes, ``weight`` what altering one weight takes, as measured so far."""

    def __init__(self, seconds: float) -> None:
        self.start = time.monotonic()
        self.stop = self.start + seconds
        self.run = 0.0
        self.weight = _SECONDS_PER_WEIGHT

    def fits(self, weights: int) -> bool:
        """Tells whether there is time for a run with so many weights altered."""
        return time.monotonic() + self.cost(weights) <= self.stop

    def cost(self, weights: int) -> float:
        """Seconds of such a run."""
        return self.run + weights * self.weight

    def learn(self, altering: float, running: float, weights: int) -> None:
        """Take in what one measurement took."""
        self.weight = (self.weight + altering / max(weights, 1)) / 2
        self.run = (self.run + running) / 2

    def left(self, weights: int, points: int) -> float:
        """Seconds until all is measured, or the time is up."""
        wanted = points * self.run + weights * self.weight
        return max(0.0, min(wanted, self.stop - time.monotonic()))
