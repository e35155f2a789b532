"""Edit: one operator of the model under the knife, and the table of what changes in it besides its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from nnea_graph.errors import ModelError
from nnea_graph.graph import OpNode
from nnea_graph.ops.registry import Registry
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.static.result import StaticFacts

Kept = Mapping[Axis, Indices]
"""The indices that stay along every axis that loses some; of a grouped kernel perhaps a row for each group."""


@dataclass(slots=True)
class Changes:
    """Parts that the edits add to the graph: constants, and operators before one that is there."""

    taken: set[str]
    constants: list[TensorProto] = field(default_factory=list)
    before: dict[int, list[NodeProto]] = field(default_factory=dict)

    def fresh(self, stem: str) -> str:
        """A tensor name that nobody has."""
        name, number = stem, 1
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self.taken.add(name)
        return name

    def constant(self, stem: str, values: NDArray[Any]) -> str:
        """The name of a new constant."""
        name = self.fresh(stem)
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name


@dataclass(frozen=True, slots=True)
class Edit:
    """An operator as it was (``node``) and as it is written (``proto``, at ``place``).

    ``sizes`` are the tensors that are computed of lengths, as they come out of the pruned model by themselves.
    """

    node: OpNode
    proto: NodeProto
    place: int
    found: StaticFacts
    kept: Kept
    sizes: Mapping[str, NDArray[Any] | None]
    changes: Changes

    def dims(self, tensor: str) -> tuple[int | None, ...]:
        """Dims before."""
        info = self.found.types.get(tensor)
        return tuple(dim if isinstance(dim, int) else None for dim in (info.shape if info else None) or ())

    def stay(self, tensor: str, axis: int) -> Indices:
        """The indices that stay along an axis."""
        rank = len(self.dims(tensor))
        kept = self.kept.get((tensor, axis % rank))
        if kept is not None:
            return kept
        return np.arange(self.dims(tensor)[axis % rank] or 0)

    def loses(self, tensor: str) -> dict[int, int]:
        """The axes of a tensor that lose indices, and how many are left."""
        axes = range(len(self.dims(tensor)))
        return {axis: self.kept[tensor, axis].shape[-1] for axis in axes if (tensor, axis) in self.kept}

    def length(self, tensor: str, axis: int) -> int:
        """Tells how long an axis is afterwards."""
        return int(self.stay(tensor, axis).shape[-1])

    def value(self, index: int) -> NDArray[Any] | None:
        """A small input where it is known, its elements one after the other."""
        found = self.shaped_value(index)
        return None if found is None else found.reshape(-1)

    def shaped_value(self, index: int) -> NDArray[Any] | None:
        """A small input where it is known, in its own shape."""
        return self.found.values.get(self.node.inputs[index]) if index < len(self.node.inputs) else None

    def set_attribute(self, name: str, value: Any) -> None:
        """Replace an attribute, or add it."""
        attribute = helper.make_attribute(name, value)
        old = next((each for each in self.proto.attribute if each.name == name), None)
        if old is None:
            self.proto.attribute.append(attribute)
        else:
            old.CopyFrom(attribute)

    def drop_attribute(self, name: str) -> None:
        """Remove an attribute that another form replaces."""
        for attribute in [each for each in self.proto.attribute if each.name == name]:
            self.proto.attribute.remove(attribute)

    def set_input(self, index: int, values: NDArray[Any]) -> None:
        """Read these numbers in place of an input: a constant of its own, as others may read the old one."""
        while len(self.proto.input) <= index:
            self.proto.input.append("")
        stem = self.proto.input[index] or f"{self.proto.output[0]}_{self.proto.op_type}_{index}"
        self.proto.input[index] = self.changes.constant(f"{stem}_pruned", values)

    def retarget(self, index: int, wanted: Mapping[int, int]) -> None:
        """Let the elements ``wanted`` of a list of sizes, which belong to axes that lose indices, be these numbers.

        What is computed and comes out right by itself stays. What does not (batch * heads) is set right by its share
        while the model runs, as at another batch it is another number.
        """
        name = self.node.inputs[index]
        known, after = self.value(index), self.sizes.get(name)
        if name in self.found.constant or known is None or after is None or (after <= 0)[list(wanted)].any():
            self.replace(index, wanted)
            return
        kept, whole = np.ones(len(known), np.int64), np.ones(len(known), np.int64)
        for place, (before, now) in enumerate(zip(known.tolist(), after.tolist(), strict=True)):
            part = Fraction(wanted.get(place, before), now) if now > 0 else Fraction(1)
            kept[place], whole[place] = part.numerator, part.denominator
        for op_type, numbers in (("Mul", kept), ("Div", whole)):
            if (numbers != 1).any():
                self._compute(index, op_type, numbers)

    def replace(self, index: int, wanted: Mapping[int, int]) -> None:
        """Let the elements ``wanted`` of a list of numbers be these, whatever made the list."""
        if not wanted:
            return
        known, places = self.value(index), list(wanted)
        if self.node.inputs[index] in self.found.constant and known is not None:
            values = known.copy()
            values[places] = list(wanted.values())
            self.set_input(index, values)
            return
        length = self.dims(self.node.inputs[index])[0] or 0
        mask, values = (
            np.zeros(length, np.bool_),
            np.zeros(length, np.int64 if known is None else known.dtype),
        )
        mask[places], values[places] = True, list(wanted.values())
        self._compute(index, "Where", mask, values)

    def _compute(self, index: int, op_type: str, *constants: NDArray[Any]) -> None:
        """Read the result of an operator on these constants and on what the input was."""
        name = self.proto.input[index]
        added = [self.changes.constant(f"{name}_pruned_{op_type.lower()}", each) for each in constants]
        inputs = [*added, name] if op_type == "Where" else [name, *added]
        result = self.changes.fresh(f"{name}_pruned")
        self.proto.input[index] = self._before(self.place, op_type, inputs, result)

    def scale_input(self, index: int, factor: float) -> None:
        """Read a tensor of floats times a number."""
        name = self.proto.input[index]
        factors = [name, self._factor(name, factor)]
        self.proto.input[index] = self._before(
            self.place, "Mul", factors, self.changes.fresh(f"{name}_scaled")
        )

    def scale_output(self, factor: float) -> None:
        """Give the first result, a tensor of floats, times a number."""
        name = self.node.outputs[0]
        self.proto.output[0] = self.changes.fresh(f"{name}_unscaled")
        self._before(self.place + 1, "Mul", [self.proto.output[0], self._factor(name, factor)], name)

    def _factor(self, tensor: str, factor: float) -> str:
        info = self.found.types[tensor]
        if info.dtype is None:
            raise ModelError(f"'{self.node.id}' cannot be pruned: the type of '{tensor}' is not known")
        name = self.changes.fresh(f"{tensor}_factor")
        self.changes.constants.append(helper.make_tensor(name, info.dtype.code, [], [factor]))
        return name

    def _before(self, place: int, op_type: str, inputs: list[str], result: str) -> str:
        operator = helper.make_node(op_type, inputs, [result], name=self.changes.fresh(f"{result}_{op_type}"))
        self.changes.before.setdefault(place, []).append(operator)
        return result


EditRule = Callable[[Edit], None]
EDIT_RULES: Registry[EditRule] = Registry("edit", families="nnea_graph.rewrite.surgery.rules")

edit = EDIT_RULES.register
"""``@edit("Reshape")``."""


def sizes(values: Sequence[int]) -> NDArray[np.int64]:
    """Sizes as ONNX takes them."""
    return np.asarray(values, np.int64)


FREE_INITIALIZERS = 4
"""The first IR version whose initializers need not be inputs as well."""


def add_constants(graph: GraphProto, tensors: Sequence[TensorProto], ir_version: int) -> None:
    """Adds constants as initializers, in older models as operators in front: an input more would be another model."""
    if ir_version >= FREE_INITIALIZERS:
        graph.initializer.extend(tensors)
        return
    for tensor in reversed(tensors):
        graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], name=tensor.name, value=tensor))
