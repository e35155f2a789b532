"""Builds the channel graph: which channel of which tensor comes from which others, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.build.build import build_channels
from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.rule_context.model_view import ConstantView, ModelView
from nnea_graph.engine import Pass, RunContext
from nnea_graph.graph import Constant, Key, ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.passes.activations import ACTIVATIONS
from nnea_graph.passes.constants import WEIGHTS
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.static.constant_folding import DerivedPayload, evaluate, loaded
from nnea_graph.static.result import StaticFacts

CHANNELS = Key[ChannelGraph]("channels")
STRENGTHS = Key[str]("strengths")
"""What strengths on the channel graph are made of: ``weights`` (|w|) or ``importance`` (|w| mean |a|)."""

Means = Mapping[tuple[str, int], NDArray[np.floating[Any]]]

_LAYER_ROLES = frozenset({Role.WEIGHT, Role.SCALE})


@dataclass(frozen=True)
class ChannelsPass(Pass):
    """Follows every channel of every tensor from the inputs to the outputs.

    Strengths are |w| times the mean |a| of the channel where real data ran, |w| alone elsewhere.
    """

    name = "channels"
    requires = (SHAPES, WEIGHTS)
    uses = (ACTIVATIONS,)
    provides = (CHANNELS, STRENGTHS)

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Build the graph; weights are read when strengths are asked for."""
        measured = measured_means(graph)
        graph[CHANNELS] = build_channels(sight_of(graph, measured))
        graph[STRENGTHS] = "importance" if measured else "weights"


def measured_means(graph: ModelGraph) -> Means:
    """Mean |a| by tensor and channel axis, as the activations pass saw it on real data; made-up ones tell nothing."""
    found = graph[ACTIVATIONS] if ACTIVATIONS in graph else None  # noqa: SIM401 - a graph is no dict
    if found is None or found.synthetic:
        return {}
    return {place: stats.mean_abs for place, stats in found.seen.items()}


def sight_of(graph: ModelGraph, activations: Means | None = None) -> ModelView:
    """View that the builder of the channel graph sees of a model, by the facts of earlier passes."""
    found = graph[SHAPES]
    layers = frozenset(
        node.id for node in graph if any(weight.role in _LAYER_ROLES for weight in graph[node, WEIGHTS])
    )
    return ModelView(
        graph=graph,
        found=found,
        reader=partial(_reader, graph, found),
        value=partial(evaluate, graph, found),
        layers=layers,
        activations=activations or {},
    )


def _reader(graph: ModelGraph, found: StaticFacts, node: OpNode, index: int) -> ConstantView | None:
    """A constant input as the operator sees it; None for one that the model computes."""
    tensor = node.inputs[index]
    if tensor not in found.constant:
        return None
    weight = next((weight for weight in graph[node, WEIGHTS] if weight.tensor == tensor), None)
    constant = weight.constant if weight is not None else _plain(graph, found, tensor)
    return None if constant is None else ConstantView(constant.shape, partial(loaded, constant))


def _plain(graph: ModelGraph, found: StaticFacts, tensor: str) -> Constant | None:
    """A constant that is no weight: a bias of one number, a table of places."""
    info = found.types[tensor]
    if tensor in graph.constants:
        return graph.constants[tensor]
    if info.static is None or info.dtype is None:
        return None
    return Constant(tensor, info.dtype, info.static, DerivedPayload(graph, found, tensor), 0)
