"""Tensors that enter an operator with weights, channel by channel, and what leaves it after its activation function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.ops.input_roles import Role
from nnea_graph.ops.weight_layout import Layout, layouts
from nnea_graph.static.result import StaticFacts, call_of


class WeightConstant(Protocol):
    """Facts that are needed of a weight here."""

    @property
    def tensor(self) -> str:
        """Its name."""
        ...

    @property
    def role(self) -> Role:
        """Role that it has for the operator."""
        ...

    @property
    def constant(self) -> Constant:
        """Values as the operator sees them."""
        ...


@dataclass(frozen=True, slots=True)
class WeightInput:
    """A weight and the channels that it meets: those of ``tensor`` along ``axis`` (counted from the front)."""

    constant: Constant
    layout: Layout
    tensor: str
    axis: int


MEASURED = frozenset({Role.WEIGHT, Role.SCALE})


def meetings(
    graph: ModelGraph, found: StaticFacts, node: OpNode, weights: Sequence[WeightConstant], side: str
) -> Iterator[WeightInput | str]:
    """Each measured weight of an operator with the channels it meets, or the reason why that is not known.

    ``side`` is ``input``: what enters the operator; or ``output``: what leaves it after its activation function.
    """
    known = {layout.weight: layout for layout in layouts(call_of(node, found))}
    places = _places(node, weights)
    for weight in weights:
        place = next(places[weight.tensor])
        if weight.role not in MEASURED:
            continue
        layout = known.get(place)
        if layout is None:
            yield f"no rule says which channels the weights of {node.op_type} meet"
        elif side == "output":
            yield _by_output(graph, found, node, weight.constant, layout)
        else:
            yield _meeting(node, found, weight.constant, layout, _named(node, layout))


def _places(node: OpNode, weights: Sequence[WeightConstant]) -> dict[str, Iterator[int]]:
    """The inputs at which each weight stands: one tensor may be two weights."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(node.inputs):
        places.setdefault(name, []).append(place)
    return {weight.tensor: iter(places[weight.tensor]) for weight in weights}


def _named(node: OpNode, layout: Layout) -> str:
    """The tensor that the layout speaks of; "" where it is left out."""
    side, place = layout.data
    names = node.inputs if side == "input" else node.outputs
    return names[place] if place < len(names) else ""


def _by_output(
    graph: ModelGraph, found: StaticFacts, node: OpNode, constant: Constant, layout: Layout
) -> WeightInput | str:
    turned = layout.seen_from_output(len(constant.shape))
    if turned is None:
        return f"the weights of {node.op_type} do not lead to one channel each"
    own = _named(node, turned)
    return _meeting(node, found, constant, turned, leaving(graph, own) if own else "")


def _meeting(
    node: OpNode, found: StaticFacts, constant: Constant, layout: Layout, tensor: str
) -> WeightInput | str:
    if not tensor:
        side, place = layout.data
        return f"{node.op_type} does not give its {side} {place}"
    if tensor in found.constant:
        return f"what enters {node.op_type} is constant"
    info = found.types.get(tensor)
    if info is None or info.shape is None:
        return f"the rank of '{tensor}' is not known"
    rank = len(info.shape)
    if not -rank <= layout.data_axis < max(rank, 1):
        return f"'{tensor}' has no axis {layout.data_axis}"
    return WeightInput(constant, layout, tensor, layout.data_axis % max(rank, 1))


ACTIVATIONS = frozenset(
    {"BiasGelu", "Celu", "Clip", "Elu", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"}
    | {"LogSoftmax", "Mish", "PRelu", "QuickGelu", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus"}
    | {"Softsign", "Swish", "Tanh", "ThresholdedRelu"}
)
_BETWEEN = frozenset({"Add", "BatchNormalization", "Mul", "Dropout", "Cast", "Identity"})
_MOST_STEPS = 4


def leaving(graph: ModelGraph, own: str) -> str:
    """Tensor that an operator's output ``own`` is after the activation function; itself where none follows.

    Steps over what stands between (bias, normalization), as long as nothing else reads the tensor; x sigmoid(x)
    written as two operators is an activation function too.
    """
    tensor = own
    for _ in range(_MOST_STEPS):
        readers = graph.consumers(tensor)
        gated = _gated(readers, tensor)
        if gated is not None:
            return gated
        if len(readers) != 1 or tensor in graph.outputs:
            return own
        reader = readers[0]
        if reader.op_type in ACTIVATIONS:
            return reader.outputs[0]
        if reader.op_type not in _BETWEEN or not _one_operand(graph, reader, tensor):
            return own
        tensor = reader.outputs[0]
    return own


def _one_operand(graph: ModelGraph, reader: OpNode, tensor: str) -> bool:
    """Tells whether everything else that an operator reads is stored in the model."""
    return all(name in graph.constants for name in reader.inputs if name and name != tensor)


def _gated(readers: Sequence[OpNode], tensor: str) -> str | None:
    """The product in x f(x), f an activation function."""
    if len(readers) != 2:
        return None
    for gate, product in (readers, readers[::-1]):
        factors = {tensor, gate.outputs[0]}
        if gate.op_type in ACTIVATIONS and product.op_type == "Mul" and set(product.inputs) == factors:
            return product.outputs[0]
    return None
