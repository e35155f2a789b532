"""The layers that can be refitted, with all that is needed for it, and why others are left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.rewrite.refitting.biases import Bias, bias_of
from nnea_graph.rewrite.refitting.forms import Form
from nnea_graph.rewrite.refitting.gram import gram_bytes
from nnea_graph.rewrite.refitting.operators import FORMS
from nnea_graph.rewrite.refitting.targets import Target, targets_of

_FLOATS = frozenset({"float16", "float32", "float64"})


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """``node`` reads ``x`` and the constant ``weight``; its bias is None where there is no place for one.

    It is compared at ``target``.
    """

    node: OpNode
    x: str
    weight: str
    dtype: np.dtype[Any]
    form: Form
    bias: Bias | None
    target: Target

    @property
    def constants(self) -> tuple[str, ...]:
        """What a refit changes."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias.name)

    @property
    def bytes(self) -> int:
        """What the sums of the layer take."""
        return gram_bytes(self.form.groups, self.form.columns, self.form.outputs)


def layers_of(graph: ModelGraph, nodes: Iterable[OpNode]) -> dict[str, Layer | str]:
    """By id, operators in execution order as layers that can be refitted, or why not.

    Of layers whose outputs are added to each other, the last one is compared at the sum.
    """
    found = {node.id: _layer(graph, node) for node in nodes}
    at_sum: dict[str, Layer] = {}
    for layer in found.values():
        total = None if isinstance(layer, str) else targets_of(graph, layer.node, layer.form)[1]
        if total is not None and not isinstance(layer, str):
            at_sum[total.tensor] = replace(layer, target=total)
    return found | {layer.node.id: layer for layer in at_sum.values()}


def _layer(graph: ModelGraph, node: OpNode) -> Layer | str:
    rule = FORMS.get(node.op_type)
    if rule is None or node.domain:
        return f"{node.op_type} is not refitted"
    if node.body:
        return "it lies in the body of another operator"
    x, weight = node.inputs[:2]
    if reason := _unfit(graph, x, weight):
        return reason
    constant = graph.constants[weight]
    form = rule(node, constant.shape)
    if isinstance(form, str):
        return form
    own, _ = targets_of(graph, node, form)
    return Layer(node, x, weight, np.dtype(constant.dtype.name), form, bias_of(graph, node, form, own), own)


def _unfit(graph: ModelGraph, x: str, weight: str) -> str:
    """Why the weights of an operator are left alone; "" where they are not."""
    if x in graph.constants:
        return "its weights are on the left"
    constant = graph.constants.get(weight)
    if constant is None:
        made = graph.producer(weight)
        return f"its weights are made by {made.op_type}" if made else "its weights are an input of the model"
    if constant.dtype.name not in _FLOATS:
        return f"its weights are of type {constant.dtype.name}"
    readers = sum(name == weight for node in graph for name in node.inputs)
    return "its weights are tied: other operators read them too" if readers > 1 else ""
