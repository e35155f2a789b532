"""Layers as least-squares problems, which of them can be refitted, and why the others are left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.rewrite.refit.biases import ConsumerBias, bias_of
from nnea_graph.rewrite.refit.convolution import convolution
from nnea_graph.rewrite.refit.gram import gram_bytes
from nnea_graph.rewrite.refit.least_squares_form import Array, Form
from nnea_graph.rewrite.refit.matmul import gemm, matmul
from nnea_graph.rewrite.refit.recurrent import Gates, recurrent
from nnea_graph.rewrite.refit.regression_targets import RegressionTarget, targets_of
from nnea_graph.rewrite.refit.transposed_convolution import transposed

FORMS: Mapping[str, Callable[[OpNode, tuple[int, ...]], Form | str]] = {
    "Conv": convolution,
    "ConvTranspose": transposed,
    "GRU": recurrent,
    "Gemm": gemm,
    "LSTM": recurrent,
    "MatMul": matmul,
    "RNN": recurrent,
}
"""How each operator is refitted, by its stored weight's shape; or why one is not."""

_FLOATS = frozenset({"float16", "float32", "float64"})


@dataclass(frozen=True, slots=True, eq=False)
class RefittableLayer:
    """``node`` reads ``x`` and ``weight``, the ``constant``; its bias is None where there is no place for one.

    It is compared at ``target``. ``fixed`` says why its weights cannot be changed, "" where they can.
    """

    node: OpNode
    x: str
    weight: str
    constant: Constant
    form: Form
    bias: ConsumerBias | None
    target: RegressionTarget
    fixed: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its weights."""
        return np.dtype(self.constant.dtype.name)

    @property
    def constants(self) -> tuple[str, ...]:
        """Constants that a refit changes."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias.name)

    @property
    def compared(self) -> str:
        """The tensor that both networks are asked for: at the target, or where no tensor is, what the layer reads."""
        return self.target.tensor or self.x

    def given(self, compared: Array, weight: Array | None) -> Array:
        """What the layer gives, from that tensor and, where it is what the layer reads, from the stored weight."""
        if isinstance(self.form, Gates) and weight is not None:
            return self.form.product(compared, weight)
        return compared

    @property
    def bytes(self) -> int:
        """Bytes that the sums of the layer take."""
        return gram_bytes(self.form.groups, self.form.columns, self.form.outputs)


def layers_of(graph: ModelGraph, nodes: Iterable[OpNode]) -> dict[str, RefittableLayer | str]:
    """Operators in execution order as layers that can be refitted, or why not, by id.

    Of layers whose outputs are added to each other, the last one is compared at the sum.
    """
    found = {
        name: layer.fixed or layer if isinstance(layer, RefittableLayer) else layer
        for name, layer in reading_layers(graph, nodes, {})
    }
    at_sum: dict[str, RefittableLayer] = {}
    for layer in found.values():
        total = None if isinstance(layer, str) else targets_of(graph, layer.node, layer.form)[1]
        if total is not None and not isinstance(layer, str):
            at_sum[total.tensor] = replace(layer, target=total)
    return found | {layer.node.id: layer for layer in at_sum.values()}


def reading_layers(
    graph: ModelGraph, nodes: Iterable[OpNode], computed: Mapping[str, Constant]
) -> Iterator[tuple[str, RefittableLayer | str]]:
    """Operators by id as layers, ``fixed`` ones too, or why they are none.

    ``computed`` are weights that operators make of others (dequantized, transposed), by tensor.
    """
    constants = {**graph.constants, **computed}
    for node in nodes:
        yield node.id, _layer(graph, node, constants)


def _layer(graph: ModelGraph, node: OpNode, constants: Mapping[str, Constant]) -> RefittableLayer | str:
    rule = FORMS.get(node.op_type)
    if rule is None or node.domain:
        return f"{node.op_type} is not refitted"
    if node.body:
        return "it lies in the body of another operator"
    x, weight = node.inputs[:2]
    if reason := _unfit(graph, x, weight, constants):
        return reason
    constant = constants[weight]
    form = rule(node, constant.shape)
    if isinstance(form, str):
        return form
    own, _ = targets_of(graph, node, form)
    return RefittableLayer(
        node, x, weight, constant, form, bias_of(graph, node, form, own), own, _fixed(graph, weight)
    )


def _unfit(graph: ModelGraph, x: str, weight: str, constants: Mapping[str, Constant]) -> str:
    """Reason why an operator is no layer; "" where it is one."""
    if x in constants:
        return "its weights are on the left"
    constant = constants.get(weight)
    if constant is None:
        return _made(graph, weight)
    return "" if constant.dtype.name in _FLOATS else f"its weights are of type {constant.dtype.name}"


def _fixed(graph: ModelGraph, weight: str) -> str:
    """Reason why weights cannot be changed; "" where they can."""
    if weight not in graph.constants:
        return _made(graph, weight)
    readers = sum(name == weight for node in graph for name in node.inputs)
    return "its weights are tied: other operators read them too" if readers > 1 else ""


def _made(graph: ModelGraph, weight: str) -> str:
    made = graph.producer(weight)
    return f"its weights are made by {made.op_type}" if made else "its weights are an input of the model"
