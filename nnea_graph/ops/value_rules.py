"""The table of value rules: numpy evaluation of the operators that constant expressions are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from nnea_graph.ops.call import OpCall
from nnea_graph.ops.registry import Registry

ValueRule = Callable[[OpCall], list[NDArray[Any]]]
"""Gives the outputs; ``call.values`` holds every input that is there."""

VALUE_RULES: Registry[ValueRule] = Registry("value", families="nnea_graph.ops.values")

value = VALUE_RULES.register
"""``@value("Transpose")``."""
