"""TensorProto and SparseTensorProto as constants, checked before anything in them is believed."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import SparseTensorProto, TensorProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.external_data import ExternalFiles, entries_of, offset_of
from nnea_graph.frontends.protobuf.payloads import FilePayload, SparsePayload
from nnea_graph.frontends.protobuf.random_access_file import DataFile
from nnea_graph.frontends.protobuf.strings import shown, text
from nnea_graph.frontends.protobuf.typed_fields import filled_fields, home_of, typed_values
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import DTYPES, Constant, DType, Payload
from nnea_graph.graph.constants import ArrayPayload
from nnea_graph.graph.dtypes import decode

_ADDRESSABLE = 1 << 63


class TensorReader:
    """Makes constants of one model's tensors; ``own`` is the model file, ``marker`` its location."""

    def __init__(
        self, limits: Limits, external: ExternalFiles, own: DataFile | None = None, marker: str = ""
    ) -> None:
        self.limits = limits
        self._external = external
        self.own = own
        self._marker = marker

    def constant(self, tensor: TensorProto, name: str) -> Constant:
        """A tensor as a constant; large values stay in the file.

        Raises:
            ModelError: type, dims and data contradict each other, or the data cannot be had.
        """
        dtype = _dtype(tensor.data_type, name)
        shape = _shape(tuple(tensor.dims), dtype, name, self.limits)
        payload = self._payload(tensor, dtype, prod(shape), name)
        strings = sum(len(value) for value in tensor.string_data)
        return Constant(name, dtype, shape, payload, strings or dtype.nbytes(prod(shape)))

    def sparse_constant(self, tensor: SparseTensorProto, name: str) -> Constant:
        """A sparse tensor as a constant that is made dense as far as it is read.

        Raises:
            ModelError: an index outside the dims, or not in ascending order; and as ``constant``.
            LimitError: more elements than ``limits.sparse_elements``.
        """
        values = self.constant(tensor.values, f"{name} (values)")
        indices = self.constant(tensor.indices, f"{name} (indices)")
        shape = _shape(tuple(tensor.dims), values.dtype, name, self.limits)
        if prod(shape) > self.limits.sparse_elements:
            raise LimitError(
                f"sparse tensor {shown(name)} has {prod(shape):,} elements, over "
                f"{self.limits.sparse_elements:,}; raise it with --limit sparse_elements=N"
            )
        places = _places(values, indices, shape, name)
        stored = values.stored_bytes + indices.stored_bytes
        return Constant(name, values.dtype, shape, SparsePayload(places, values.payload), stored)

    def _payload(self, tensor: TensorProto, dtype: DType, size: int, name: str) -> Payload:
        """The data, from the one place that holds any."""
        place = _place(tensor, dtype, name)
        if place == "external_data":
            return self._elsewhere(tensor, dtype, size, name)
        if place == "raw_data":
            return _raw(tensor.raw_data, dtype, size, name)
        return ArrayPayload(typed_values(tensor, dtype, size, name))

    def _elsewhere(self, tensor: TensorProto, dtype: DType, size: int, name: str) -> FilePayload:
        """Data in a file: the model's own, where the marker says so, or one beside it."""
        where = f"an external data entry of tensor {shown(name)}"
        pairs = [(text(entry.key, where), text(entry.value, where)) for entry in tensor.external_data]
        entries = entries_of(pairs, name)
        if self.own and entries["location"] == self._marker:
            return _cut_out(self.own, entries, dtype, size, name)
        file = self._external.open(entries["location"], name)
        offset = offset_of(entries, dtype.nbytes(size), file.size, name)
        self._external.count((entries["location"], offset, name), dtype.nbytes(size))
        return FilePayload(file, offset, dtype)


def _dtype(code: int, name: str) -> DType:
    if code not in DTYPES:
        raise ModelError(f"tensor {shown(name)} has data type {code}, which is none that onnx 1.23 knows")
    return DTYPES[code]


def _shape(dims: tuple[int, ...], dtype: DType, name: str, limits: Limits) -> tuple[int, ...]:
    if len(dims) > limits.rank:
        raise LimitError(f"tensor {shown(name)} has {len(dims):,} dims, over {limits.rank} (--limit rank=N)")
    if any(dim < 0 for dim in dims):
        raise ModelError(f"tensor {shown(name)} has a negative dim: {list(dims)}; a stored tensor has none")
    # Dims of 0 left out: numpy refuses to shape even an empty array by dims whose product overflows.
    if prod(dim for dim in dims if dim) * max(dtype.bits, 64) // 8 >= _ADDRESSABLE:
        raise ModelError(f"tensor {shown(name)} has dims {list(dims)}, more than any memory can hold")
    return dims


def _place(tensor: TensorProto, dtype: DType, name: str) -> str:
    """The field that holds the data, or would if there were any."""
    if tensor.HasField("segment"):
        raise ModelError(f"tensor {shown(name)} is a segment of another one; store it whole")
    home = home_of(dtype)
    external = tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0
    places = filled_fields(tensor)
    places += ["raw_data"] * tensor.HasField("raw_data") + ["external_data"] * external
    if len(places) > 1:
        raise ModelError(f"tensor {shown(name)} has data in {' and in '.join(places)}; keep one of them")
    place = places[0] if places else home
    allowed = {home} if dtype.kind == "string" else {home, "raw_data", "external_data"}
    if place not in allowed:
        raise ModelError(f"tensor {shown(name)} has {place}, where its type {dtype} does not belong")
    return place


def _raw(raw: bytes, dtype: DType, size: int, name: str) -> ArrayPayload:
    """Raw bytes that protobuf has parsed: small ones, and all of a model that was given in memory."""
    _check_length(len(raw), dtype, size, name)
    return ArrayPayload(decode(raw, dtype, 0, size))


def _cut_out(own: DataFile, entries: dict[str, str], dtype: DType, size: int, name: str) -> FilePayload:
    """Data that ``skim`` has left in the model file."""
    if entries["field"] not in {"raw_data", home_of(dtype)}:
        raise ModelError(
            f"tensor {shown(name)} has {entries['field']}, where its type {dtype} does not belong"
        )
    _check_length(int(entries["length"]), dtype, size, name)
    return FilePayload(own, int(entries["offset"]), dtype)


def _check_length(length: int, dtype: DType, size: int, name: str) -> None:
    if length != dtype.nbytes(size):
        raise ModelError(
            f"tensor {shown(name)} has {length:,} bytes of data; its type {dtype} and dims take "
            f"{dtype.nbytes(size):,}; export the model again"
        )


def _places(values: Constant, indices: Constant, shape: tuple[int, ...], name: str) -> NDArray[np.int64]:
    """Finds where the values of a sparse tensor lie in the flat tensor, strictly ascending."""
    count, rank = values.size, len(shape)
    if len(values.shape) != 1 or values.dtype.kind == "string" or indices.dtype.name != "int64":
        raise ModelError(f"sparse tensor {shown(name)} needs numbers in one row, with int64 indices")
    if indices.shape not in {(count,), (count, rank)}:
        raise ModelError(
            f"sparse tensor {shown(name)} has indices of shape {list(indices.shape)} for {count:,} values"
        )
    index = indices.array().astype(np.int64)
    bounds = np.array([prod(shape)] if index.ndim == 1 else shape, np.int64)
    index = index.reshape(count, len(bounds))
    if ((index < 0) | (index >= bounds)).any():
        raise ModelError(f"sparse tensor {shown(name)} has an index outside its dims {list(shape)}")
    strides = np.array([prod(bounds[axis + 1 :].tolist()) for axis in range(len(bounds))], np.int64)
    flat: NDArray[np.int64] = index @ strides
    if (np.diff(flat) <= 0).any():
        raise ModelError(f"sparse tensor {shown(name)} has indices that are not in ascending order, or twice")
    return flat
