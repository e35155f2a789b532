"""Target that a pruning is for: the share of the original that is to remain, or the loss that is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nnea_graph.errors import UsageError

COUNTED = ("params", "macs")
"""Known without running anything."""
MEASURED = ("latency", "loss")
EXACT = "exact"
"""Only what changes no output goes."""

_FORM = re.compile(r"(params|macs|latency|loss)=([0-9]*\.?[0-9]+)(%?)")


@dataclass(frozen=True, slots=True)
class Target:
    """``params``, ``macs`` and ``latency`` are at most this share of the original's; ``loss`` is of accuracy."""

    name: str
    value: float

    def __str__(self) -> str:
        """Text as it is written."""
        return f"loss={100 * self.value:g}%" if self.name == "loss" else f"{self.name}={self.value:g}"


def parse_target(text: str) -> Target:
    """``macs=0.5`` (or ``50%``) leaves half; ``loss=0.5%`` is half a point of accuracy.

    >>> parse_target("macs=0.5"), parse_target("loss=0.5%")
    (Target(name='macs', value=0.5), Target(name='loss', value=0.005))

    Raises:
        UsageError: it is no target.
    """
    found = _FORM.fullmatch(text.strip())
    value = 0.0 if found is None else float(found[2]) / (100 if found[3] else 1)
    if found is None or not 0 < value < 1:
        raise UsageError(
            f"--target '{text}': write what is to remain of the original (params=0.3, macs=0.5, latency=0.5) or what "
            "may be lost of the accuracy (loss=0.5%), between 0 and 1; or exact, for what changes nothing"
        )
    return Target(found[1], value)


def is_exact(texts: Sequence[str]) -> bool:
    """Tells whether only what changes no output is to go.

    Raises:
        UsageError: another target is given beside.
    """
    if EXACT not in texts:
        return False
    if len(texts) > 1:
        raise UsageError(
            "--target exact: stands alone; prune what it gives to the other target in a second run"
        )
    return True


def parse_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """Each kind once.

    Raises:
        UsageError: there is none, or one twice.
    """
    found = [parse_target(text) for text in texts]
    names = [target.name for target in found]
    if not names:
        raise UsageError("--target: say what is to remain, e.g. --target macs=0.5")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"--target {twice}: given twice")
    return tuple(found)
