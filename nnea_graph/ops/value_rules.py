"""The table of value rules: numpy evaluation of the operators that constant expressions are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numpy.typing import NDArray

from nnea_graph.ops import values
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import Registry, load_families

ValueRule = Callable[[OpCall], list[NDArray[Any]]]
"""Gives the outputs; ``call.values`` holds every input that is there."""

VALUE_RULES: Registry[ValueRule] = Registry("value")

value = VALUE_RULES.register
"""``@value("Transpose")``."""


@cache
def value_rules() -> Registry[ValueRule]:
    """The table, with every family of operators loaded."""
    load_families(values)
    return VALUE_RULES
