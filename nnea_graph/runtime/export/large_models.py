"""Models that no single message holds: protobuf writes 2 GiB at most, so large weights are handed over apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto

from nnea_graph.frontends.protobuf.chunks import without
from nnea_graph.graph import DTYPES, Constant, ModelGraph
from nnea_graph.graph.dtypes import storage
from nnea_graph.runtime.export.initializers import GIVEN, INLINE_BYTES, NATIVE, external, in_memory

MESSAGE_BYTES = 2_000_000_000
"""Of a message, at most; protobuf's own limit is a little higher."""


def held_inside(graph: ModelGraph) -> int:
    """Bytes of the constants of a model that cannot be handed over apart."""
    proto = getattr(graph.file, "proto", None)
    if not isinstance(proto, ModelProto):
        return 0
    plain = graph.constants if proto.functions else {tensor.name for tensor in proto.graph.initializer}
    return sum(
        constant.stored_bytes
        for name, constant in graph.constants.items()
        if name not in plain or constant.dtype.name not in NATIVE
    )


def crowded(constants: Iterable[Constant]) -> bool:
    """Tells whether those that are in memory are more than a message."""
    return sum(each.stored_bytes for each in constants if in_memory(each)) > MESSAGE_BYTES


def weight_bytes(proto: ModelProto) -> int:
    """Bytes of the initializers of the main graph that are in the model itself."""
    return sum(tensor_bytes(tensor) for tensor in proto.graph.initializer if not _elsewhere(tensor))


def tensor_bytes(tensor: TensorProto) -> int:
    """Bytes that the elements of a tensor take; its strings are not counted."""
    return DTYPES[tensor.data_type].nbytes(prod(tensor.dims)) if tensor.data_type in DTYPES else 0


def file_bytes(proto: ModelProto) -> int:
    """Bytes of the model with all weights that are in it, however large."""
    apart = large_tensors(proto)
    rest = without(proto, apart) if apart else proto
    return int(rest.ByteSize()) + sum(map(tensor_bytes, apart.values()))


def is_large(proto: ModelProto) -> bool:
    """Tells whether it is more than a message."""
    return weight_bytes(proto) > MESSAGE_BYTES


def large_tensors(proto: ModelProto) -> Mapping[str, TensorProto]:
    """The weights that are handed over apart; none where the whole is one message."""
    return apart_tensors(proto, INLINE_BYTES) if is_large(proto) else {}


def apart_tensors(proto: ModelProto, least: int) -> Mapping[str, TensorProto]:
    """The initializers of the main graph of more than so many raw bytes."""
    return {
        tensor.name: tensor
        for tensor in proto.graph.initializer
        if tensor_bytes(tensor) > least and tensor.HasField("raw_data")
    }


def parted(proto: ModelProto) -> tuple[ModelProto, dict[str, NDArray[Any]]]:
    """A model as a session takes it: itself, or one without its large weights, and these."""
    apart = {
        name: tensor
        for name, tensor in large_tensors(proto).items()
        if DTYPES[tensor.data_type].name in NATIVE
    }
    if not apart:
        return proto, {}
    arrays = {name: _array(tensor) for name, tensor in apart.items()}
    referring = (external(tensor, GIVEN, 0, tensor_bytes(tensor)) for tensor in apart.values())
    return without(proto, apart, referring), arrays


def with_inputs(proto: ModelProto) -> ModelProto:
    """A model whose large weights are inputs in its place, for a look at everything but their values."""
    apart = large_tensors(proto)
    if not apart:
        return proto
    found = without(proto, apart)
    there = {value.name for value in found.graph.input}
    found.graph.input.extend(_declared(tensor) for name, tensor in apart.items() if name not in there)
    return found


def _elsewhere(tensor: TensorProto) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _array(tensor: TensorProto) -> NDArray[Any]:
    stored = np.frombuffer(tensor.raw_data, np.uint8)
    return stored.view(storage(DTYPES[tensor.data_type])).reshape(tuple(tensor.dims))


def _declared(tensor: TensorProto) -> ValueInfoProto:
    value = ValueInfoProto(name=tensor.name)
    value.type.tensor_type.elem_type = tensor.data_type
    value.type.tensor_type.shape.SetInParent()
    for dim in tensor.dims:
        value.type.tensor_type.shape.dim.add(dim_value=dim)
    return value
