"""Adds operators to a model that has been written, under names that nothing else has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.export.to_onnx import Written

# From these versions on, axes are an input.
_AXES_ARE_INPUT = {"ReduceSum": 13, "ReduceMax": 18, "ReduceMean": 18}


class Emitter:
    """``path`` in its methods is the body to add to, "" the main graph."""

    def __init__(self, graph: ModelGraph, written: Written) -> None:
        self.written = written
        self.opset = next(
            (entry.version for entry in written.proto.opset_import if entry.domain == ""), 0
        ) or self._import(17)
        self._prefix = "nnea/"
        taken = {
            *graph.tensors,
            *graph.inputs,
            *(name for node in graph for name in (node.id, *node.outputs)),
        }
        while any(name.startswith(self._prefix) for name in taken):
            self._prefix += "/"
        self._numbers = count()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def _import(self, version: int) -> int:
        self.written.proto.opset_import.add(domain="", version=version)
        return version

    def fresh(self) -> str:
        """A name that nothing else has."""
        return f"{self._prefix}{next(self._numbers)}"

    def op(self, path: str, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """An operator with one output; the name of that."""
        name = self.fresh()
        node = helper.make_node(op_type, inputs, [name], name=name, **attributes)
        self.written.graphs[path].node.append(node)
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """A constant of the main graph, which bodies can read too; equal ones are one."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = self.fresh()
            self.written.proto.graph.initializer.append(numpy_helper.from_array(values, self._constants[key]))
        return self._constants[key]

    def reduce(self, path: str, op_type: str, tensor: str, axes: Sequence[int]) -> str:
        """ReduceSum, ReduceMax or ReduceMean over some axes, which go; over none, the tensor itself."""
        if not axes:
            return tensor
        if self.opset < _AXES_ARE_INPUT[op_type]:
            return self.op(path, op_type, [tensor], axes=list(axes), keepdims=0)
        return self.op(path, op_type, [tensor, self.constant(np.array(axes, np.int64))], keepdims=0)
