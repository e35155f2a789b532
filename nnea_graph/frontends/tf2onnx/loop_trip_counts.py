"""Loops that count: tf2onnx lets them run without end, until their condition says no."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

_ENDLESS = 1 << 31


def number_trips(proto: ModelProto) -> None:
    """Write into each loop of the main graph how often it runs, where its condition compares a counter to a constant.

    The condition stays as it is; what it ends earlier ends earlier still.
    """
    scalars = {
        tensor.name: float(numpy_helper.to_array(tensor).reshape(()))
        for tensor in proto.graph.initializer
        if math.prod(tensor.dims) == 1
    }
    for node in proto.graph.node:
        if node.op_type != "Loop" or scalars.get(node.input[0], 0.0) < _ENDLESS:
            continue
        trips = _Counting(node, _body(node), scalars).trips()
        if trips is not None:
            node.input[0] = f"{node.name}:trips"
            proto.graph.initializer.append(numpy_helper.from_array(np.array(trips, np.int64), node.input[0]))


def _body(node: NodeProto) -> GraphProto:
    body: GraphProto = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    return body


@dataclass(frozen=True)
class _Counting:
    node: NodeProto
    body: GraphProto
    scalars: Mapping[str, float]

    def trips(self) -> int | None:
        """The most trips that the condition of the body lets through, None where it is no such comparison."""
        makers = {output: node for node in self.body.node for output in node.output}
        return self._most(self.body.output[0].name, makers)

    def _most(self, name: str, makers: Mapping[str, NodeProto]) -> int | None:
        made = makers.get(name)
        if made is not None and made.op_type in {"Cast", "Identity"}:
            return self._most(made.input[0], makers)
        if made is not None and made.op_type == "And":
            parts = [self._most(each, makers) for each in made.input]
            return min((part for part in parts if part is not None), default=None)
        if made is None or made.op_type != "Less" or made.input[1] not in self.scalars:
            return None
        counter = made.input[0]
        while counter in makers and makers[counter].op_type in {"Cast", "Identity"}:
            counter = makers[counter].input[0]
        return self._until(counter, self.scalars[made.input[1]], makers)

    def _until(self, counter: str, end: float, makers: Mapping[str, NodeProto]) -> int | None:
        """Trips until a carried value that grows by the same each time is no longer less than the end."""
        added = makers.get(counter)
        carried = [value.name for value in self.body.output[1:]]
        if added is None or added.op_type != "Add" or counter not in carried:
            return None
        place = carried.index(counter)
        start = self.scalars.get(self.node.input[2 + place])
        before = self.body.input[2 + place].name
        steps = [self.scalars.get(each) for each in added.input if each != before]
        if start is None or before not in added.input or len(steps) != 1 or not steps[0] or steps[0] < 0:
            return None
        return max(1, math.ceil((end - start) / steps[0]))
