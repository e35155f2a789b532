"""Writes ONNX graphs line by line; weights are ConstantOfShape nodes, so that no file holds their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

Shape = Sequence[int | str]


class Net:
    """A graph under construction; every method returns the name of the tensor that it makes."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.inputs: list[ValueInfoProto] = []
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.dtypes: dict[str, int] = {}

    def fresh(self, stem: str) -> str:
        return f"{self.prefix}{stem}_{len(self.nodes) + len(self.initializers)}"

    def input(self, name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, value: ArrayLike, dtype: type[Any] | None = None, name: str = "") -> str:
        name = name or self.fresh("constant")
        self.initializers.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def weight(self, *shape: int, value: float = 0.01, name: str = "") -> str:
        """A float32 weight of this shape, held as the shape alone."""
        name = name or self.fresh("weight")
        fill = numpy_helper.from_array(np.array([value], np.float32))
        self.nodes.append(helper.make_node("ConstantOfShape", [self.ints(*shape)], [name], value=fill))
        return name

    def op(self, op_type: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        return self.ops(op_type, *inputs, count=1, name=name, domain=domain, **attributes)[0]

    def ops(
        self, op_type: str, *inputs: str, count: int, name: str = "", domain: str = "", **attributes: Any
    ) -> list[str]:
        stem = name or self.fresh(op_type)
        outputs = [f"{stem}.{index}" for index in range(count)]
        self.nodes.append(
            helper.make_node(op_type, inputs, outputs, name=stem, domain=domain or None, **attributes)
        )
        return outputs

    def graph(self, *outputs: str) -> GraphProto:
        infos = [
            ValueInfoProto(
                name=name,
                type=TypeProto(
                    tensor_type=TypeProto.Tensor(elem_type=self.dtypes.get(name, TensorProto.FLOAT))
                ),
            )
            for name in outputs
        ]
        return helper.make_graph(
            self.nodes, self.prefix or "net", self.inputs, infos, initializer=self.initializers
        )

    def model(
        self, *outputs: str, opset: int = 20, functions: Sequence[onnx.FunctionProto] = ()
    ) -> ModelProto:
        domains = sorted({node.domain for node in self.nodes} - {"", "ai.onnx"})
        opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
        return helper.make_model(
            self.graph(*outputs), opset_imports=opsets, functions=list(functions), ir_version=10
        )

    # Layers that most networks share

    def layer_weights(self, name: str, *shape: int, bias: int = 0) -> list[str]:
        """``name.weight`` and, where ``bias`` is a length, ``name.bias``."""
        weights = [self.weight(*shape, name=f"{name}.weight" if name else "")]
        return weights + ([self.weight(bias, name=f"{name}.bias" if name else "")] if bias else [])

    def conv(
        self,
        x: str,
        channels: tuple[int, int],
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        bias: bool = False,
        name: str = "",
    ) -> str:
        inputs, outputs = channels
        weights = self.layer_weights(name, outputs, inputs, kernel, kernel, bias=outputs if bias else 0)
        return self.op("Conv", x, *weights, name=name, strides=[stride, stride], pads=[pad] * 4)

    def batch_norm(self, x: str, channels: int) -> str:
        statistics = [self.weight(channels, value=value) for value in (1.0, 0.0, 0.0, 1.0)]
        return self.op("BatchNormalization", x, *statistics)

    def dense(self, x: str, inputs: int, outputs: int, name: str = "") -> str:
        return self.op(
            "Gemm", x, *self.layer_weights(name, outputs, inputs, bias=outputs), name=name, transB=1
        )

    def linear(self, x: str, inputs: int, outputs: int, name: str = "") -> str:
        weight, bias = self.layer_weights(name, inputs, outputs, bias=outputs)
        return self.op("Add", self.op("MatMul", x, weight, name=name), bias)

    def layer_norm(self, x: str, width: int) -> str:
        return self.op("LayerNormalization", x, self.weight(width, value=1.0), self.weight(width))

    def max_pool(self, x: str, kernel: int, stride: int, *, pad: int = 0, ceil: int = 0) -> str:
        return self.op(
            "MaxPool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=ceil
        )
