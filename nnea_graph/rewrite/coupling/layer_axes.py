"""Finds where layers make channels, and where they read them: operators with weights of their own."""

from __future__ import annotations

from collections.abc import Iterator

from nnea_graph.graph import OpNode
from nnea_graph.ops.input_roles import Role, declared_role
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.weight_layout import Layout, layouts
from nnea_graph.rewrite.coupling.constraints import CouplingConstraints
from nnea_graph.rewrite.coupling.index_space import Axis
from nnea_graph.static.result import call_of

_PROJECTING = {(MICROSOFT, "Attention"), (MICROSOFT, "QAttention")}
"""Operators that make queries, keys and values themselves: of their weight's columns the values lead to the output."""


def layer_axes(draft: CouplingConstraints) -> Iterator[tuple[OpNode, Axis]]:
    """The outputs of operators with constant weights, and the axis along which their channels lie."""
    for node, layout in _weights(draft):
        leads = (0, -1) if layout.rows or (node.domain, node.op_type) in _PROJECTING else layout.leads_to
        if leads is None:
            continue
        output, axis = leads
        tensor = node.outputs[output]
        rank = len(draft.dims(tensor) or ())
        if -rank <= axis < rank:
            yield node, (tensor, axis % rank)


def layer_weights(draft: CouplingConstraints) -> set[str]:
    """The constants that layers multiply by: no biases, scales or tables."""
    return {node.inputs[layout.weight] for node, layout in _weights(draft) if not layout.rows}


def read_axes(draft: CouplingConstraints) -> Iterator[Axis]:
    """The axes of weights that run over the channels that the layer reads."""
    for node, layout in _weights(draft):
        name = node.inputs[layout.weight]
        if not layout.rows and layout.in_axis is not None:
            yield name, layout.in_axis % len(draft.dims(name) or (1,))


def _weights(draft: CouplingConstraints) -> Iterator[tuple[OpNode, Layout]]:
    for node in draft.graph:
        for layout in () if node.body else layouts(call_of(node, draft.found)):
            name = node.inputs[layout.weight] if layout.weight < len(node.inputs) else ""
            weighs = declared_role(node.op_type, node.domain, layout.weight) is Role.WEIGHT
            if weighs and name in draft.found.constant:
                yield node, layout
