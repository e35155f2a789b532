"""Typed names of facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

# Invariant on purpose: a covariant key would let a wrong value through the checkers.
T = TypeVar("T")


@dataclass(frozen=True)
class Key(Generic[T]):
    """The name of a fact of type ``T``; it is also the networkx attribute that holds the fact.

    >>> MACS = Key[int]("macs")
    >>> MACS.name
    'macs'
    """

    name: str
