"""View that the builder of a channel graph has of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.static.result import StaticFacts

Array = NDArray[Any]

Activations = Mapping[tuple[str, int], NDArray[np.floating[Any]]]
"""Mean |a| of each channel of a tensor along one axis."""


@dataclass(frozen=True)
class ConstantView:
    """A constant that an operator reads: its shape at once, its values when they are asked for."""

    shape: tuple[int, ...]
    read: Callable[[], Constant]

    def array(self) -> Array:
        """All values in their shape."""
        return self.read().array()


@dataclass(frozen=True)
class ModelView:
    """A model, and how to read its constants.

    ``reader`` gives a constant input as the operator sees it (unpacked, dequantized), None where it is computed;
    ``value`` the value of any constant tensor by name. ``layers`` are the ids of operators with weights or scales.
    """

    graph: ModelGraph
    found: StaticFacts
    reader: Callable[[OpNode, int], ConstantView | None]
    value: Callable[[str], Array]
    layers: frozenset[str] = frozenset()
    activations: Activations = field(default_factory=dict)

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each operator in execution order, by id."""
        return {node.id: place for place, node in enumerate(self.graph)}

    @cached_property
    def idle(self) -> frozenset[str]:
        """Paths of the bodies that never run, with all that lie in them."""
        found: set[str] = set()
        for path, body in self.graph.bodies.items():
            trips = self.found.trips.get(path)
            if body.outer in found or (trips is not None and trips.count == 0):
                found.add(path)
        return frozenset(found)

    def activation(self, tensor: ChannelTensor) -> NDArray[np.float64] | None:
        """Mean |a| of each channel, None where nothing measured it."""
        real = tensor.real
        axis = real[0] if real else next(iter(tensor.axes), None)
        if len(real) > 1 or axis is None:
            return None
        measured = self.activations.get((tensor.name, axis))
        if measured is None or measured.size != tensor.count:
            return None
        return np.asarray(measured, np.float64).reshape(-1)
