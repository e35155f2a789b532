"""Finds where the bias of a layer that is refitted stands, or will stand."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.rewrite.refit.gram import Floats
from nnea_graph.rewrite.refit.least_squares_form import Form
from nnea_graph.rewrite.refit.recurrent import Gates
from nnea_graph.rewrite.refit.regression_targets import RegressionTarget

_PLACE = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}
"""The input that is the bias, of operators that have one."""
_OF_GATES = 3
"""The input that is the biases of a recurrent layer."""


@dataclass(frozen=True, slots=True, eq=False)
class ConsumerBias:
    """Input ``place`` of the operator that makes ``output`` is the constant ``name`` from now on.

    ``values`` is what it is before, a number for each output channel, stored in ``shape``; the operator multiplies
    them by ``factor``. ``behind`` is what is stored behind them in each row: the other biases of recurrent layers.
    """

    output: str
    place: int
    name: str
    values: Floats
    shape: tuple[int, ...]
    factor: float = 1.0
    behind: Floats | None = None

    def stored(self, values: Floats) -> Floats:
        """Numbers for each output channel as the constant holds them."""
        if self.behind is None:
            return values.reshape(self.shape)
        return np.concatenate([values.reshape(len(self.behind), -1), self.behind], axis=1)


def bias_of(graph: ModelGraph, node: OpNode, form: Form, own: RegressionTarget) -> ConsumerBias | None:
    """Its own, that of an Add behind it, or a new one where the operator takes one; None where there is no place."""
    if isinstance(form, Gates):
        return _of_gates(graph, node, form)
    place = _PLACE.get(node.op_type)
    if place is not None and (found := _input(graph, node, form, place)) is not None:
        return found
    if own.bias is None:
        return None
    shape = (form.groups * form.outputs, *(1,) * (-1 - form.from_end))
    return _bias(graph, own.bias, own.place, shape, 1.0)


def _input(graph: ModelGraph, node: OpNode, form: Form, place: int) -> ConsumerBias | None:
    """None where the bias is computed, or is another one from row to row."""
    name = node.inputs[place] if len(node.inputs) > place else ""
    factor = float(node.attributes.get("beta", 1.0))
    channels = (form.groups * form.outputs,)
    if not name or not factor:
        return _bias(graph, node, place, channels, 1.0, unused=True)
    constant = graph.constants.get(name)
    if constant is None or constant.size not in {1, channels[0]} or prod(constant.shape[:-1]) != 1:
        return None
    return _bias(graph, node, place, channels, factor)


def _of_gates(graph: ModelGraph, node: OpNode, form: Gates) -> ConsumerBias | None:
    """Biases of the input weights: the first half of each direction's; the others are those of the state."""
    directions, gates = form.weight[:2]
    name = node.inputs[_OF_GATES] if len(node.inputs) > _OF_GATES else ""
    constant = graph.constants.get(name)
    if name and (constant is None or constant.shape != (directions, 2 * gates)):
        return None
    whole = np.zeros((directions, 2 * gates)) if constant is None else constant.array().astype(np.float64)
    made = next(output for output in node.outputs if output)
    alone = constant is not None and _alone(graph, constant)
    found = name if alone else _fresh(graph, f"{made}/bias")
    values = whole[:, :gates].reshape(-1)
    return ConsumerBias(made, _OF_GATES, found, values, whole.shape, behind=whole[:, gates:])


def _bias(  # noqa: PLR0913 - the parts of a bias
    graph: ModelGraph,
    node: OpNode,
    place: int,
    shape: tuple[int, ...],
    factor: float,
    *,
    unused: bool = False,
) -> ConsumerBias:
    """A constant that others read too is left to them, and a copy taken."""
    constant = None if unused else graph.constants[node.inputs[place]]
    start = np.zeros(()) if constant is None else constant.array().astype(np.float64).reshape(-1)
    values = np.broadcast_to(start, prod(shape)).copy()
    alone = constant is not None and _alone(graph, constant)
    name = constant.name if constant is not None and alone else _fresh(graph, f"{node.outputs[0]}/bias")
    return ConsumerBias(node.outputs[0], place, name, values, shape, factor)


def _alone(graph: ModelGraph, constant: Constant) -> bool:
    readers = [name for node in graph for name in node.inputs if name == constant.name]
    return len(readers) == 1 and constant.name not in graph.outputs


def _fresh(graph: ModelGraph, name: str) -> str:
    taken = {
        *graph.constants,
        *graph.tensors,
        *graph.inputs,
        *(out for node in graph for out in node.outputs),
    }
    while name in taken:
        name += "/"
    return name
