"""onnx's own type and shape inference, one operator at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TypeProto, defs, numpy_helper
from onnx.checker import ValidationError
from onnx.shape_inference import InferenceError

from nnea_graph.errors import OperatorError
from nnea_graph.frontends.onnx.attributes import schema_of
from nnea_graph.graph import DTYPES, Dim, OpNode, TensorInfo

_UNKNOWN = TensorInfo(None, None)
_MOST = (1 << 31) - 1
"""The largest version that onnx takes."""


class OnnxOracle:
    """Asks onnx for the outputs of one operator; equal questions are asked once.

    Operators of one graph repeat: a chain of 300,000 nodes asks a handful of questions. ``attributes`` are
    serialized, by operator; those without any are left out.
    """

    def __init__(self, attributes: Mapping[str, bytes], opsets: Mapping[str, int], ir_version: int) -> None:
        self._attributes = attributes
        self._opsets = {domain: min(version, _MOST) for domain, version in opsets.items()}
        self._ir_version = max(0, min(ir_version, _MOST))
        self._answers: dict[tuple[Any, ...], list[TensorInfo]] = {}

    def infer(
        self,
        node: OpNode,
        inputs: Sequence[TensorInfo | None],
        values: Sequence[NDArray[Any] | None],
    ) -> list[TensorInfo]:
        """See ``graph.TypeOracle``."""
        schema = schema_of(node.op_type, node.opset, node.domain)
        if schema is None or any(info is not None and info.dtype is None for info in inputs):
            return [_UNKNOWN] * len(node.outputs)
        attributes = self._attributes.get(node.id, b"")
        kept = tuple(
            None if value is None else (value.dtype.str, value.shape, value.tobytes()) for value in values
        )
        wanted = tuple(map(bool, node.outputs))
        key = (node.op_type, node.domain, node.opset, attributes, tuple(inputs), kept, wanted)
        if key not in self._answers:
            self._answers[key] = self._ask(schema, node, inputs, values)
        return self._answers[key]

    def _ask(
        self,
        schema: defs.OpSchema,
        node: OpNode,
        inputs: Sequence[TensorInfo | None],
        values: Sequence[NDArray[Any] | None],
    ) -> list[TensorInfo]:
        question = NodeProto(op_type=node.op_type, domain=node.domain)
        question.MergeFromString(self._attributes.get(node.id, b""))
        question.input.extend(f"i{n}" if info else "" for n, info in enumerate(inputs))
        question.output.extend(f"o{n}" if name else "" for n, name in enumerate(node.outputs))
        data = {
            f"i{n}": _tensor(value)
            for n, value in enumerate(values)
            if value is not None and _is_plain(inputs[n])
        }
        try:
            types = {f"i{n}": _type(info) for n, info in enumerate(inputs) if info}
            # The public wrapper would parse every type once more; its keyword names differ between releases.
            found = schema._infer_node_outputs(  # type: ignore[call-arg]  # noqa: SLF001
                question.SerializeToString(),
                types,
                data,
                {},
                self._opsets | {node.domain: node.opset},
                self._ir_version,
            )
        except (InferenceError, ValidationError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise OperatorError(f"node '{node.id}' ({node.op_type}): {reason}") from error
        try:
            return [_info(found[f"o{n}"]) if f"o{n}" in found else _UNKNOWN for n in range(len(node.outputs))]
        except _NegativeDimError as error:
            raise OperatorError(f"node '{node.id}' ({node.op_type}): {error}") from error


class _NegativeDimError(Exception):
    """onnx computes dims without looking at the result: a window larger than its image leaves -3 places."""


def _type(info: TensorInfo) -> bytes:
    proto = TypeProto()
    tensor = proto.tensor_type
    tensor.elem_type = info.dtype.code if info.dtype else 0
    if info.shape is not None:
        tensor.shape.SetInParent()
        for dim in info.shape:
            entry = tensor.shape.dim.add()
            if isinstance(dim, int):
                entry.dim_value = dim
            elif dim:
                entry.dim_param = dim
    encoded: bytes = proto.SerializeToString()
    return encoded


def _tensor(value: NDArray[Any]) -> bytes:
    """The value as TensorProto; a scalar stays one (``ascontiguousarray`` would give it an axis)."""
    encoded: bytes = numpy_helper.from_array(np.asarray(value, order="C")).SerializeToString()
    return encoded


def _is_plain(info: TensorInfo | None) -> bool:
    """Tells whether numpy holds the tensor's elements as the file does; narrow types are widened when read."""
    return (
        info is not None and info.dtype is not None and info.dtype.bits >= 8 and info.dtype.name != "bfloat16"
    )


def _info(raw: bytes) -> TensorInfo:
    proto = TypeProto.FromString(raw)
    if not proto.HasField("tensor_type"):
        return _UNKNOWN
    tensor = proto.tensor_type
    dtype = DTYPES.get(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorInfo(dtype, None)
    return TensorInfo(dtype, tuple(_dim(dim) for dim in tensor.shape.dim))


def _dim(dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        value: int = dim.dim_value
        if value < 0:
            raise _NegativeDimError(f"its attributes and inputs would give it an output of dim {value}")
        return value
    return None
