"""Where layers make channels: the outputs of operators with weights of their own."""

from __future__ import annotations

from collections.abc import Iterator

from nnea_graph.graph import OpNode
from nnea_graph.inference.found import call_of
from nnea_graph.ops.channels import layouts
from nnea_graph.ops.roles import Role, declared_role
from nnea_graph.rewrite.draft import Draft
from nnea_graph.rewrite.slots import Axis


def layer_axes(draft: Draft) -> Iterator[tuple[OpNode, Axis]]:
    """The outputs of operators with constant weights, and the axis along which their channels lie."""
    for node in draft.graph:
        for layout in layouts(call_of(node, draft.found)):
            name = node.inputs[layout.weight] if layout.weight < len(node.inputs) else ""
            weighs = declared_role(node.op_type, node.domain, layout.weight) is Role.WEIGHT
            if not weighs or layout.leads_to is None or name not in draft.found.constant or node.body:
                continue
            output, axis = layout.leads_to if not layout.rows else (0, -1)
            tensor = node.outputs[output]
            rank = len(draft.dims(tensor) or ())
            if -rank <= axis < rank:
                yield node, (tensor, axis % rank)
