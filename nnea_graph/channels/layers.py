"""What enters an operator with weights, channel by channel, and what leaves it after its activation function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from nnea_graph.graph import Constant, ModelGraph, OpNode
from nnea_graph.inference.walk import Inference, call_of
from nnea_graph.ops.channels import Layout, layouts
from nnea_graph.ops.roles import Role


class WeightLike(Protocol):
    """What is needed to know of a weight here."""

    @property
    def tensor(self) -> str:
        """Its name."""
        ...

    @property
    def role(self) -> Role:
        """What it is to the operator."""
        ...

    @property
    def constant(self) -> Constant:
        """What the operator sees."""
        ...


@dataclass(frozen=True, slots=True)
class Meeting:
    """A weight and the channels that it meets: those of ``tensor`` along ``axis`` (counted from the front)."""

    constant: Constant
    layout: Layout
    tensor: str
    axis: int


MEASURED = frozenset({Role.WEIGHT, Role.SCALE})


def meetings(
    graph: ModelGraph, found: Inference, node: OpNode, weights: Sequence[WeightLike], side: str
) -> Iterator[Meeting | str]:
    """Each measured weight of an operator with the channels it meets, or the reason why that is not known.

    ``side`` is ``input``: what enters the operator; or ``output``: what leaves it after its activation function.
    """
    known = {layout.weight: layout for layout in layouts(call_of(node, found))}
    for weight in weights:
        if weight.role not in MEASURED:
            continue
        layout = known.get(node.inputs.index(weight.tensor))
        if layout is None:
            yield f"no rule says which channels the weights of {node.op_type} meet"
            continue
        if side == "output":
            layout = _by_output(layout)
        yield _meeting(graph, found, node, weight.constant, layout)


def _by_output(layout: Layout) -> Layout:
    """The same weight seen from the channels that it leads to."""
    if layout.out_axis is None:
        return layout
    grouped = layout.groups if layout.out_axis == 1 else 1
    return replace(
        layout,
        data=("output", 0),
        data_axis=1 if layout.data_axis == 1 else -1,
        in_axis=layout.out_axis,
        out_axis=layout.in_axis,
        groups=grouped,
        rows=False,
    )


def _meeting(
    graph: ModelGraph, found: Inference, node: OpNode, constant: Constant, layout: Layout
) -> Meeting | str:
    side, place = layout.data
    names = node.inputs if side == "input" else node.outputs
    tensor = names[place] if place < len(names) else ""
    if not tensor:
        return f"{node.op_type} does not give its {side} {place}"
    if side == "output" and place == 0 and layout.weight != 2:
        tensor = leaving(graph, node)
    if tensor in found.constant:
        return f"what enters {node.op_type} is constant"
    info = found.types.get(tensor)
    if info is None or info.shape is None:
        return f"the rank of '{tensor}' is not known"
    rank = len(info.shape)
    if not -rank <= layout.data_axis < max(rank, 1):
        return f"'{tensor}' has no axis {layout.data_axis}"
    return Meeting(constant, layout, tensor, layout.data_axis % max(rank, 1))


ACTIVATIONS = frozenset(
    {"BiasGelu", "Celu", "Clip", "Elu", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"}
    | {"LogSoftmax", "Mish", "PRelu", "QuickGelu", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus"}
    | {"Softsign", "Swish", "Tanh", "ThresholdedRelu"}
)
_BETWEEN = frozenset({"Add", "BatchNormalization", "Mul", "Dropout", "Cast", "Identity"})
_MOST_STEPS = 4


def leaving(graph: ModelGraph, node: OpNode) -> str:
    """The tensor that leaves an operator after its activation function; its own output where none follows.

    Steps over what stands between (bias, normalization), as long as nothing else reads the tensor; x sigmoid(x)
    written as two operators is an activation function too.
    """
    tensor = own = node.outputs[0]
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
    """Whether everything else that an operator reads is stored in the model."""
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
