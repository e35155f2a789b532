"""Packed weights against onnxruntime: the operator times the identity matrix is the weight itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.bit_unpacking import unpack_bnb4, unpack_nbits, unpack_table
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.registry import MICROSOFT

Array = NDArray[Any]
N = 6


def run(op: str, inputs: Sequence[Array | None], attributes: dict[str, Any]) -> Array:
    node = helper.make_node(
        op,
        [f"i{n}" if a is not None else "" for n, a in enumerate(inputs)],
        ["y"],
        domain=MICROSOFT,
        **attributes,
    )
    stored = [numpy_helper.from_array(a, f"i{n}") for n, a in enumerate(inputs) if a is not None]
    graph = helper.make_graph(
        [node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], stored
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {})[0])


def called(op: str, inputs: Sequence[Array | None], attributes: dict[str, Any]) -> OpCall:
    infos = tuple(None if a is None else TensorInfo(BY_NAME[a.dtype.name], a.shape) for a in inputs)
    return OpCall(op, infos, (TensorInfo(None, None),), attributes, tuple(inputs), MICROSOFT, 1)


def agrees(
    unpack: Callable[[OpCall], Array], op: str, inputs: Sequence[Array | None], attributes: Any
) -> bool:
    unpacked = unpack(called(op, inputs, attributes))
    return bool(np.allclose(run(op, inputs, attributes), unpacked, rtol=1e-6, atol=1e-6))


def packed(columns: int, bits: int, block: int, zero_point: str) -> list[Array | None]:
    rng = np.random.default_rng(columns + bits)
    blocks = -(-columns // block)
    zero_points = {
        "none": None,
        "packed": rng.integers(0, 256, (N, -(-blocks * bits // 8)), dtype=np.uint8),
        "float": rng.random((N, blocks), np.float32) * 3,
    }
    weight = rng.integers(0, 256, (N, blocks, block * bits // 8), dtype=np.uint8)
    return [
        np.eye(columns, dtype=np.float32),
        weight,
        rng.random((N, blocks), np.float32),
        zero_points[zero_point],
    ]


# onnxruntime's CPU kernel refuses float zero points for 8 bits.
KINDS = [
    (bits, kind) for bits in (2, 4, 8) for kind in ("none", "packed", "float") if (bits, kind) != (8, "float")
]


@pytest.mark.parametrize(("bits", "zero_point"), KINDS)
@pytest.mark.parametrize(("columns", "block"), [(64, 32), (40, 16), (33, 32)])
def test_matmul_nbits_multiplies_with_the_unpacked_matrix(
    bits: int, columns: int, block: int, zero_point: str
) -> None:
    attributes = {"N": N, "K": columns, "bits": bits, "block_size": block}
    assert agrees(unpack_nbits, "MatMulNBits", packed(columns, bits, block, zero_point), attributes)


def test_matmul_nbits_takes_the_scale_that_g_idx_says() -> None:
    group = np.random.default_rng(0).integers(0, 3, 40).astype(np.int32)
    attributes = {"N": N, "K": 40, "bits": 4, "block_size": 16}
    assert agrees(unpack_nbits, "MatMulNBits", [*packed(40, 4, 16, "none"), group], attributes)


@pytest.mark.parametrize("quant_type", [0, 1], ids=["fp4", "nf4"])
@pytest.mark.parametrize(("columns", "block"), [(64, 16), (32, 64), (8, 16)])
def test_matmul_bnb4_multiplies_with_the_unpacked_matrix(quant_type: int, columns: int, block: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 256, N * columns // 2, dtype=np.uint8)
    absmax = rng.random(-(-N * columns // block), np.float32)
    attributes = {"N": N, "K": columns, "quant_type": quant_type, "block_size": block}
    assert agrees(unpack_bnb4, "MatMulBnb4", [np.eye(columns, dtype=np.float32), weight, absmax], attributes)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("with_zero_points", [False, True])
def test_gather_block_quantized_reads_from_the_unpacked_table(bits: int, *, with_zero_points: bool) -> None:
    rng = np.random.default_rng(bits)
    table = rng.integers(0, 256, (7, 64 * bits // 8), dtype=np.uint8)
    zero_points = rng.integers(0, 256, (7, -(-4 * bits // 8)), dtype=np.uint8) if with_zero_points else None
    inputs: list[Array | None] = [table, np.arange(7), rng.random((7, 4), np.float32), zero_points]
    attributes = {"bits": bits, "block_size": 16, "gather_axis": 0, "quantize_axis": 1}
    assert agrees(unpack_table, "GatherBlockQuantized", inputs, attributes)


def test_gather_block_quantized_of_four_bit_integers_is_given_one_number_a_byte() -> None:
    data = np.array([[-8, 7], [1, 2]], np.int8)
    call = OpCall(
        "GatherBlockQuantized",
        (
            TensorInfo(BY_NAME["int4"], (2, 2)),
            TensorInfo(BY_NAME["int64"], (1,)),
            TensorInfo(BY_NAME["float32"], (2, 1)),
        ),
        attributes={"block_size": 16, "quantize_axis": 1},
        values=(data, None, np.array([[0.5], [2.0]], np.float32)),
    )
    assert unpack_table(call).tolist() == [[-4.0, 3.5], [2.0, 4.0]]


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        pytest.param({"N": 0}, BadCallError, "positive N", id="no rows"),
        pytest.param({"bits": 3}, UnknownFactError, "packs 3 bits", id="odd bits"),
        pytest.param({"K": 200}, BadCallError, "codes a row", id="short weight"),
        pytest.param({"N": 7}, BadCallError, "cannot reshape", id="wrong rows"),
        pytest.param({"N": 2**40}, UnknownFactError, "elements, limit", id="huge"),
        pytest.param({"weight_prepacked": 1}, UnknownFactError, "packed for one kernel", id="prepacked"),
    ],
)
def test_weights_that_do_not_fit_their_attributes_are_refused(
    attributes: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"N": N, "K": 64, "bits": 4, "block_size": 32} | attributes
    with pytest.raises(error, match=message):
        unpack_nbits(called("MatMulNBits", packed(64, 4, 32, "none"), given))
