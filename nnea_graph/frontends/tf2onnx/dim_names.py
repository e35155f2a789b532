"""Dims that tf2onnx has given a symbol each: those of the batch are one."""

from __future__ import annotations

from onnx import ModelProto, ValueInfoProto

_BATCH = "batch"


def name_dims(proto: ModelProto) -> None:
    """``batch`` for the first dim of inputs, input and axis for others; what depends on them is left to inference."""
    for value in proto.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") or dim.dim_value < 0:
                dim.dim_param = f"{value.name}_{axis}" if axis else _BATCH
    for value in (*proto.graph.output, *proto.graph.value_info):
        _forget_symbols(value)


def _forget_symbols(value: ValueInfoProto) -> None:
    for dim in value.type.tensor_type.shape.dim:
        if dim.HasField("dim_param") or dim.dim_value < 0:
            dim.Clear()
