"""Constants as onnxruntime takes them: small ones inside the model, large ones as the mapped bytes of their file."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from nnea_graph.graph import Constant, DType
from nnea_graph.graph.constants import ArrayPayload
from nnea_graph.graph.dtypes import storage

INLINE_BYTES = 4096
"""Constants up to this size are copied into the model: onnxruntime's shape inference looks at their values."""

NATIVE = frozenset(
    {"float32", "float64", "float16", "int8", "int16", "int32", "int64"}
    | {"uint8", "uint16", "uint32", "uint64", "bool"}
)
"""Types whose stored bytes numpy has a type for, so that an OrtValue can be made over them where they lie."""

GIVEN = "given-to-the-session"
"""No file: onnxruntime replaces the entry before it looks for one."""


class Mappable(Protocol):
    """An open file that can be mapped; the same file again and again gives the same object."""

    def mapped(self) -> NDArray[np.uint8]:
        """The whole file."""
        ...

    def read(self, offset: int, length: int) -> NDArray[np.uint8]:
        """So many bytes from there on."""
        ...


@runtime_checkable
class InFile(Protocol):
    """A payload whose elements lie in a file, in the type's own stored form."""

    @property
    def file(self) -> Mappable:
        """The file."""
        ...

    @property
    def offset(self) -> int:
        """Byte at which the elements begin."""
        ...


class Mappings:
    """Each file mapped once, however many constants lie in it; with ``memory`` also what lies in memory."""

    def __init__(self, *, memory: bool = False) -> None:
        self._memory = memory
        self._pages: dict[int, tuple[Mappable, NDArray[np.uint8]]] = {}

    def view(self, constant: Constant) -> NDArray[Any] | None:
        """The values where they lie; None for a small constant, or one that is not stored as numpy has it."""
        payload, size = constant.payload, constant.dtype.nbytes(constant.size)
        if size <= INLINE_BYTES or constant.dtype.name not in NATIVE:
            return None
        if not isinstance(payload, InFile):
            return constant.array() if self._memory and in_memory(constant) else None
        file = payload.file
        if id(file) not in self._pages:
            # The file is held, so that its id stays its own.
            self._pages[id(file)] = (file, file.mapped())
        stored = self._pages[id(file)][1][payload.offset : payload.offset + size]
        return stored.view(storage(constant.dtype)).reshape(constant.shape)


def in_memory(constant: Constant) -> bool:
    """Tells whether its values are in memory, in their stored form."""
    payload = constant.payload
    return isinstance(payload, ArrayPayload) and payload.flat.dtype == storage(constant.dtype)


def inline(constant: Constant) -> TensorProto:
    """The constant with its values, under its name."""
    proto = TensorProto()
    put(proto, constant)
    return proto


def put(proto: TensorProto, constant: Constant) -> None:
    """The constant with its values, under its name, in an empty message: one of 2 GB cannot be appended."""
    _describe(proto, constant)
    if constant.dtype.kind == "string":
        proto.string_data.extend(str(value).encode() for value in constant.array().reshape(-1))
    else:
        proto.raw_data = _raw(constant)


def referred(constant: Constant) -> TensorProto:
    """The constant without its values, which the session is given apart (``add_external_initializers``)."""
    return external(_bare(constant), GIVEN, 0, constant.stored_bytes)


def external(tensor: TensorProto, location: str, offset: int, length: int) -> TensorProto:
    """A tensor of this name, type and dims whose values lie elsewhere."""
    found = TensorProto(
        name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, doc_string=tensor.doc_string
    )
    found.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": str(offset), "length": str(length)}.items():
        found.external_data.add(key=key, value=value)
    return found


def _bare(constant: Constant) -> TensorProto:
    proto = TensorProto()
    _describe(proto, constant)
    return proto


def _describe(proto: TensorProto, constant: Constant) -> None:
    proto.name, proto.data_type = constant.name, constant.dtype.code
    proto.dims.extend(constant.shape)


def _raw(constant: Constant) -> bytes:
    payload = constant.payload
    if isinstance(payload, InFile):
        return payload.file.read(payload.offset, constant.dtype.nbytes(constant.size)).tobytes()
    return encode(payload.elements(0, constant.size), constant.dtype)


def encode(values: NDArray[Any], dtype: DType) -> bytes:
    """Numbers as ``dtypes.decode`` gives them back in their stored form."""
    kept = np.ascontiguousarray(values).astype(storage(dtype))
    if dtype.bits >= 8:
        return kept.tobytes()
    lowest = np.unpackbits(kept.view(np.uint8).reshape(-1, 1), axis=1, bitorder="little")[:, : dtype.bits]
    return np.packbits(lowest.reshape(-1), bitorder="little").tobytes()
