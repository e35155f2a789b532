"""Limits as a policy writes them: ``<= 600M``, ``>= 0.4``, ``<= 1.05x``, ``<= +2%``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nnea_graph.errors import UsageError

COUNT, BYTES, SHARE, VERSION = "count", "bytes", "share", "version"
"""Kinds of metrics; each has units of its own."""

_THOUSANDS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
UNITS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {COUNT: _THOUSANDS, BYTES: _BYTES, SHARE: {"": 1, "%": 0.01}, VERSION: {"": 1}}
)
_SIGNS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq}
)
NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
_LIMIT = re.compile(rf"(<=|>=|==|<|>)?\s*({NUMBER})\s*([A-Za-z%]*)")
_CHANGE = re.compile(rf"(<=|>=|<|>)?\s*(?:({NUMBER})x|([+-]{NUMBER})\s*(%|pp))")


@dataclass(frozen=True, slots=True)
class Limit:
    """A comparison that a value must hold; ``text`` is what the policy says."""

    sign: str
    number: float
    text: str

    def holds(self, value: float) -> bool:
        """Tells whether a value is within the limit."""
        return _SIGNS[self.sign](value, self.number)

    @property
    def is_ceiling(self) -> bool:
        """Tells whether more can break it: then a lower bound over the limit breaks it for certain."""
        return self.sign in {"<=", "<"}


@dataclass(frozen=True, slots=True)
class Change:
    """A comparison with a baseline's value: a ``ratio``, or a difference in percentage ``points``."""

    sign: str
    ratio: float | None
    points: float | None
    text: str

    def limit(self, before: float) -> Limit:
        """The limit for a value, given the baseline's.

        Raises:
            UsageError: the baseline's value is 0, which has no ratio.
        """
        if self.points is not None:
            return Limit(self.sign, before + self.points, self.text)
        if not before:
            raise UsageError(f"'{self.text}' is a ratio, and the baseline's value is 0")
        return Limit(self.sign, before * (self.ratio or 0.0), self.text)


def parse_limit(value: object, kind: str, where: str) -> Limit:
    """Reads a limit on a metric of this kind; a bare number means at most.

    >>> parse_limit("<= 600M", COUNT, "macs").number
    600000000.0

    Raises:
        UsageError: it is no limit, or its unit is of another kind.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UsageError(
            f"{where}: a limit is a number or text such as '<= 600M', not {type(value).__name__}"
        )
    text = str(value).strip()
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise UsageError(f"{where}: '{text}' is no limit; write for example '<= 600M', '>= 0.4' or '< 20MiB'")
    sign, number, unit = found.groups()
    units = UNITS[kind]
    if unit not in units:
        usual = ", ".join(each for each in units if each) or "none"
        raise UsageError(f"{where}: '{text}' has unit '{unit}', and a {kind} takes {usual}")
    return Limit(sign or "<=", float(number) * units[unit], text)


def parse_change(value: object, kind: str, where: str) -> Change | Limit:
    """Reads a limit against a baseline: ``1.05x``, ``+2%``, ``-0.5pp`` of shares, or a plain limit.

    >>> parse_change("<= 1.05x", COUNT, "macs").limit(100).number
    105.0

    Raises:
        UsageError: it is no limit, or percentage points of what is no share.
    """
    text = str(value).strip()
    found = _CHANGE.fullmatch(text) if isinstance(value, str) else None
    if found is None:
        return parse_limit(value, kind, where)
    sign, ratio, amount, unit = found.groups()
    falls = bool(amount) and amount.startswith("-")
    sign = sign or (">=" if falls else "<=")
    if unit == "pp" and kind != SHARE:
        raise UsageError(
            f"{where}: '{text}' is in percentage points, which only shares have; write '{amount}%'"
        )
    if unit == "pp":
        return Change(sign, None, float(amount) / 100, text)
    return Change(sign, float(ratio) if ratio else 1 + float(amount) / 100, None, text)
