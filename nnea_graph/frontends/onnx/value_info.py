"""Facts that a file states of tensors outside of its operators: declared types, and the values of Constant nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TypeProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.strings import text
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import DTYPES, Constant, Dim, TensorInfo
from nnea_graph.graph.constants import constant_of
from nnea_graph.graph.dtypes import BY_NAME


def literal(name: str, value: Any) -> Constant:
    """The value of a Constant node, whichever attribute holds it."""
    if isinstance(value, Constant):
        return Constant(name, value.dtype, value.shape, value.payload, value.stored_bytes)
    sample = value[0] if isinstance(value, list) and value else value
    if isinstance(sample, str):
        return constant_of(name, np.asarray(value, object), BY_NAME["string"])
    if isinstance(sample, float):
        return constant_of(name, np.asarray(value, np.float32), BY_NAME["float32"])
    return constant_of(name, np.asarray(value, np.int64), BY_NAME["int64"])


def tensor_info(proto: TypeProto, name: str, limits: Limits) -> TensorInfo:
    """Type and shape as the file declares them; negative dims are dims that nobody knows."""
    if not proto.HasField("tensor_type"):
        return TensorInfo(None, None)
    tensor = proto.tensor_type
    if tensor.elem_type and tensor.elem_type not in DTYPES:
        raise ModelError(f"tensor '{name}' has data type {tensor.elem_type}, which ONNX does not define")
    dtype = DTYPES.get(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorInfo(dtype, None)
    if len(tensor.shape.dim) > limits.rank:
        raise LimitError(
            f"tensor '{name}' has {len(tensor.shape.dim):,} dims, over the limit of {limits.rank};"
            " raise it with --limit rank=N"
        )
    return TensorInfo(dtype, tuple(_dim(dim, name) for dim in tensor.shape.dim))


def _dim(dim: Any, name: str) -> Dim:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return text(dim.dim_param, f"a dim of tensor '{name}'") or None
