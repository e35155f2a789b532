"""Tensors as constants: equal to what onnx reads, and refused where they contradict themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper, save

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.onnx.file import OnnxFile, read_onnx
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import DTYPES, Constant

NUMERIC = [code for code, dtype in DTYPES.items() if dtype.kind != "string"]
SHAPES: list[tuple[int, ...]] = [(), (0, 3), (1,), (7, 5), (101, 97)]


def random_tensor(code: int, shape: tuple[int, ...], *, raw: bool) -> TensorProto:
    """Every bit pattern of narrow types; numbers without NaN of the wide ones."""
    rng = np.random.default_rng(code)
    dtype = DTYPES[code]
    if dtype.bits <= 8 and dtype.kind != "bool":
        patterns = rng.integers(0, 1 << dtype.bits, shape, np.uint8)
        values: NDArray[Any] = (
            (patterns << (8 - dtype.bits)).view(np.int8) >> (8 - dtype.bits)
            if dtype.kind == "int"
            else patterns
        ).astype(np.int8 if dtype.kind == "int" else np.uint8)
        values = values.view(helper.tensor_dtype_to_np_dtype(code)) if dtype.kind == "float" else values
    else:
        numbers = rng.standard_normal(shape) * 1000
        if dtype.kind == "complex":
            numbers = numbers + 1j * rng.standard_normal(shape)
        kinds = {"bool": numbers > 0, "uint": np.abs(numbers)}
        values = np.asarray(kinds.get(dtype.kind, numbers)).astype(helper.tensor_dtype_to_np_dtype(code))
    values = np.asarray(values).astype(helper.tensor_dtype_to_np_dtype(code))
    return helper.make_tensor("w", code, shape, values if raw else values.flatten(), raw=raw)


def model_with(*tensors: TensorProto) -> ModelProto:
    return helper.make_model(helper.make_graph([], "g", [], [], list(tensors)))


def constant_of(tensor: TensorProto, limits: Limits | None = None) -> Constant:
    return OnnxFile.from_proto(model_with(), limits).constant(tensor, "w")


def inline(tensor: TensorProto, folder: Path) -> OnnxFile:
    (folder / "m.onnx").write_bytes(model_with(tensor).SerializeToString())
    return read_onnx(folder / "m.onnx")


def external(tensor: TensorProto, folder: Path) -> OnnxFile:
    save(
        model_with(tensor),
        folder / "m.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
    )
    return read_onnx(folder / "m.onnx")


def in_memory(tensor: TensorProto, _: Path) -> OnnxFile:
    return OnnxFile.from_proto(model_with(tensor))


STORES = {"inline": inline, "external": external, "in-memory": in_memory}


def as_numbers(tensor: TensorProto) -> NDArray[Any]:
    """What onnx reads, in the number types that ``Constant`` promises."""
    values = numpy_helper.to_array(tensor)
    dtype = DTYPES[tensor.data_type]
    if dtype.kind == "float" and dtype.bits < 32:
        return values.astype(np.float32)
    if dtype.bits < 8:
        return values.astype(np.int8 if dtype.kind == "int" else np.uint8)
    return values


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("code", NUMERIC, ids=lambda code: DTYPES[code].name)
def test_values_of_every_type_equal_those_of_onnx(
    code: int,
    store: Callable[[TensorProto, Path], OnnxFile],
    raw: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    for shape in SHAPES:
        tensor = random_tensor(code, shape, raw=raw)
        with store(tensor, tmp_path) as file:
            constant = file.constant(file.proto.graph.initializer[0], "w")
            expected = as_numbers(tensor)
            np.testing.assert_array_equal(constant.array(), expected)
            assert constant.array().dtype == expected.dtype
            assert (constant.shape, constant.dtype.code) == (shape, code)
            assert constant.stored_bytes == -(-expected.size * DTYPES[code].bits // 8)


def test_every_type_of_this_onnx_is_known() -> None:
    assert set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED} == set(DTYPES)


@pytest.mark.parametrize("code", NUMERIC, ids=lambda code: DTYPES[code].name)
def test_any_range_of_elements_can_be_read_by_itself(code: int, tmp_path: Path) -> None:
    tensor = random_tensor(code, (101, 97), raw=True)
    file = external(tensor, tmp_path)
    payload = file.constant(file.proto.graph.initializer[0], "w").payload
    expected = as_numbers(tensor).reshape(-1)
    rng = np.random.default_rng(0)
    for start in [0, 1, 2, 3, 5, 7, *rng.integers(0, 9797, 20).tolist()]:
        for stop in {start, min(start + 1, 9797), min(start + 5, 9797), 9797}:
            np.testing.assert_array_equal(payload.elements(start, stop), expected[start:stop])


def test_threads_read_one_file_at_the_same_time(tmp_path: Path) -> None:
    tensor = random_tensor(1, (1000, 1000), raw=True)
    file = inline(tensor, tmp_path)
    payload = file.constant(file.proto.graph.initializer[0], "w").payload
    expected = numpy_helper.to_array(tensor).reshape(-1)
    starts = np.random.default_rng(0).integers(0, 990_000, 400).tolist()
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda start: payload.elements(start, start + 10_000), starts))
    assert all(np.array_equal(got, expected[s : s + 10_000]) for s, got in zip(starts, read, strict=True))


def test_strings_are_a_constant_of_text() -> None:
    tensor = helper.make_tensor("w", TensorProto.STRING, [2], np.array(["a", "größe"]))
    assert constant_of(tensor).array().tolist() == ["a", "größe"]
    assert constant_of(tensor).stored_bytes == 8


@pytest.mark.parametrize("value", [-1, 65535], ids=["signed", "unsigned"])
def test_a_bit_pattern_may_be_written_signed_or_unsigned(value: int) -> None:
    tensor = TensorProto(data_type=TensorProto.INT16, dims=[1], int32_data=[value])
    assert constant_of(tensor).array().tolist() == [-1]


def proto(code: int, dims: list[int], **data: Any) -> TensorProto:
    return TensorProto(name="w", data_type=code, dims=dims, **data)


CONTRADICTIONS = [
    pytest.param(proto(1, [2, 3], raw_data=bytes(23)), "has 23 bytes", id="too-short"),
    pytest.param(proto(1, [2, 3], raw_data=bytes(25)), "has 25 bytes of data", id="too-long"),
    pytest.param(proto(1, [2, 3]), "has 0 entries of float_data", id="no-data"),
    pytest.param(proto(1, [2**40]), "has 0 entries of float_data", id="2^40-and-no-data"),
    pytest.param(proto(1, [2**40], raw_data=b"1234"), "has 4 bytes of data", id="2^40-and-4-bytes"),
    pytest.param(proto(1, [2**32, 2**32], raw_data=b""), "more than any memory", id="2^64-elements"),
    pytest.param(proto(1, [2**62], raw_data=b""), "more than any memory", id="2^62-elements"),
    pytest.param(proto(1, [0, 2**62, 2**62], raw_data=b""), "more than any memory", id="0-times-2^124"),
    pytest.param(proto(1, [-1], raw_data=b""), "has a negative dim: [-1]", id="negative-dim"),
    pytest.param(proto(1, [-(2**63)], raw_data=b""), "has a negative dim", id="least-dim"),
    pytest.param(proto(250, [1], raw_data=b"1"), "has data type 250", id="type-250"),
    pytest.param(proto(0, [1], raw_data=b"1"), "has data type 0", id="no-type"),
    pytest.param(proto(-5, [1], raw_data=b"1"), "has data type -5", id="negative-type"),
    pytest.param(proto(22, [4], raw_data=b"1"), "has 1 bytes of data", id="int4-with-one-byte"),
    pytest.param(proto(1, [1], float_data=[1, 2]), "has 2 entries of float_data", id="too-many"),
    pytest.param(proto(10, [1], float_data=[1]), "has float_data, where", id="wrong-field"),
    pytest.param(proto(1, [1], float_data=[1], raw_data=b"1234"), "in float_data and", id="two-places"),
    pytest.param(proto(8, [1], raw_data=b"a"), "has raw_data, where", id="raw-strings"),
    pytest.param(proto(2, [1], int32_data=[256]), "holds 256 to 256", id="uint8-256"),
    pytest.param(proto(3, [1], int32_data=[-129]), "holds -129 to -129", id="int8-minus-129"),
    pytest.param(proto(12, [1], uint64_data=[2**32]), "does not fit its type uint32", id="uint32-2^32"),
    pytest.param(proto(27, [1], int32_data=[64]), "does not fit its type float6e2m3", id="6-bits-64"),
    pytest.param(proto(1, [1], segment=TensorProto.Segment(begin=0)), "segment", id="segment"),
]  # fmt: skip


@pytest.mark.parametrize("where", [in_memory, inline], ids=["in-memory", "file"])
@pytest.mark.parametrize(("tensor", "said"), CONTRADICTIONS)
def test_a_tensor_that_contradicts_itself_is_an_error_that_names_it(
    tensor: TensorProto, said: str, where: Callable[[TensorProto, Path], OnnxFile], tmp_path: Path
) -> None:
    file = where(tensor, tmp_path)
    with pytest.raises(ModelError, match="tensor 'w' " + ".*" + re.escape(said)):
        file.constant(file.proto.graph.initializer[0], "w")


@pytest.mark.parametrize("size", [4999, 5001], ids=["too-short", "too-long"])
def test_large_data_of_the_wrong_length_is_an_error_too(size: int, tmp_path: Path) -> None:
    file = inline(proto(2, [5000], raw_data=bytes(size)), tmp_path)
    with pytest.raises(ModelError, match=f"has {size:,} bytes of data"):
        file.constant(file.proto.graph.initializer[0], "w")


def test_large_floats_in_a_tensor_of_another_type_are_an_error(tmp_path: Path) -> None:
    file = inline(proto(6, [5000], float_data=[1.0] * 5000), tmp_path)
    with pytest.raises(ModelError, match="has float_data, where its type int32 does not belong"):
        file.constant(file.proto.graph.initializer[0], "w")


def test_a_rank_over_the_limit_is_an_error_that_names_the_limit() -> None:
    with pytest.raises(LimitError, match=r"has 1,000,000 dims.*--limit rank=N"):
        constant_of(proto(1, [1] * 1_000_000, raw_data=b"1234"))
    assert constant_of(proto(1, [1] * 64, raw_data=bytes(4))).array().ndim == 64
    with pytest.raises(LimitError):
        constant_of(proto(1, [1, 1, 1], raw_data=b"1234"), Limits(rank=2))


def test_nan_and_infinity_are_values_like_others() -> None:
    values = constant_of(proto(1, [3], float_data=[float("nan"), float("inf"), float("-inf")])).array()
    assert np.isnan(values[0])
    assert values[1:].tolist() == [float("inf"), float("-inf")]


def sparse(values: list[float], indices: NDArray[np.int64], dims: list[int]) -> SparseTensorProto:
    stored = numpy_helper.from_array(np.array(values, np.float32), "v")
    return helper.make_sparse_tensor(stored, numpy_helper.from_array(indices, "i"), dims)


def dense(tensor: SparseTensorProto, limits: Limits | None = None) -> Constant:
    return OnnxFile.from_proto(model_with(), limits).sparse_constant(tensor, "w")


def test_a_sparse_tensor_is_dense_by_linear_indices_and_by_coordinates() -> None:
    expected = [[0, 5, 0], [0, 0, 7]]
    assert dense(sparse([5, 7], np.array([1, 5]), [2, 3])).array().tolist() == expected
    assert dense(sparse([5, 7], np.array([[0, 1], [1, 2]]), [2, 3])).array().tolist() == expected
    assert dense(sparse([], np.zeros(0, np.int64), [2, 2])).array().tolist() == [[0, 0], [0, 0]]


def test_any_range_of_a_sparse_tensor_can_be_read_by_itself() -> None:
    rng = np.random.default_rng(0)
    full = np.where(rng.random((13, 17)) < 0.2, rng.standard_normal((13, 17)), 0).astype(np.float32)
    places = np.flatnonzero(full)
    payload = dense(sparse(full.reshape(-1)[places].tolist(), places, [13, 17])).payload
    for start in range(0, 210, 10):
        np.testing.assert_array_equal(
            payload.elements(start, start + 11), full.reshape(-1)[start : start + 11]
        )


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        pytest.param(sparse([5], np.array([6]), [2, 3]), "outside its dims", id="past-the-end"),
        pytest.param(sparse([5], np.array([-1]), [2, 3]), "outside its dims", id="negative"),
        pytest.param(sparse([5], np.array([[0, 3]]), [2, 3]), "outside its dims", id="past-its-row"),
        pytest.param(sparse([5, 7], np.array([3, 1]), [2, 3]), "not in ascending order", id="unsorted"),
        pytest.param(sparse([5, 7], np.array([1, 1]), [2, 3]), "or twice", id="twice"),
        pytest.param(sparse([5, 7], np.array([1]), [2, 3]), "indices of shape [1] for 2 values", id="fewer"),
        pytest.param(sparse([5], np.array([[0]]), [2, 3]), "indices of shape [1, 1]", id="wrong-rank"),
        pytest.param(sparse([5], np.array([0]), [-2, 3]), "negative dim", id="negative-dim"),
        pytest.param(
            sparse([5], np.array([0]), [2**20, 2**20]), "--limit sparse_elements=N", id="2^40-dense"
        ),
        pytest.param(sparse([5], np.array([0]), [2**62, 4]), "more than any memory", id="2^64-dense"),
        pytest.param(SparseTensorProto(dims=[2]), "has data type 0", id="nothing-in-it"),
    ],
)
def test_a_sparse_tensor_that_contradicts_itself_is_an_error(tensor: SparseTensorProto, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        dense(tensor)


def test_indices_that_are_not_int64_are_an_error() -> None:
    tensor = sparse([5], np.array([0]), [2])
    tensor.indices.CopyFrom(numpy_helper.from_array(np.array([0], np.int32)))
    with pytest.raises(ModelError, match="with int64 indices"):
        dense(tensor)
