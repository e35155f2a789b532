"""The record of one defined term."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A metric, column or verdict; ``aliases`` are its column titles and field names."""

    name: str
    definition: str
    formula: str = ""
    units: str = ""
    source: str = ""
    good_for: str = ""
    not_for: str = ""
    aliases: tuple[str, ...] = ()
