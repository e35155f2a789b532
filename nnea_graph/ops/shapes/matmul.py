"""Matrix products: fused, quantized, packed."""

from __future__ import annotations

from nnea_graph.graph import Dim, DType, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import (
    FLOAT,
    INT32,
    Shape,
    attribute,
    broadcast,
    dims,
    info,
    known,
    replaced,
    results,
    shape,
)
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.values.cast import dtype_of


def matmul(a: Shape | None, b: Shape | None) -> Shape | None:
    """The rules of numpy; a vector counts as a row on the left and as a column on the right."""
    if a is None or b is None:
        return None
    if not a or not b:
        raise BadCallError("a matrix product has a scalar operand")
    left, right = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if isinstance(left[-1], int) and isinstance(right[-2], int) and left[-1] != right[-2]:
        raise BadCallError(f"a matrix product over {left[-1]} and {right[-2]} terms")
    batch = broadcast(left[:-2], right[:-2]) or ()
    return (*batch, *(left[-2:-1] if len(a) > 1 else ()), *(right[-1:] if len(b) > 1 else ()))


def _turned(x: Shape | None, *, last: bool, batch: bool) -> Shape | None:
    """FusedMatMul's transpositions: ``batch`` brings the first axis before the last one, then ``last`` swaps.

    Vectors are never transposed.
    """
    if x is None or len(x) < 2:
        return x
    rolled = (*x[1:-1], x[0], x[-1]) if batch else x
    return (*rolled[:-2], rolled[-1], rolled[-2]) if last else rolled


@shape("FusedMatMul", "TransposeMatMul", "FusedMatMulActivation", "SparseToDenseMatMul", domain=MICROSOFT)
def fused_matmul(call: OpCall) -> list[TensorInfo]:
    """A matrix product of operands transposed by attributes."""
    a, b = (
        _turned(
            dims(call, index),
            last=bool(call.attr(f"trans{s}", 0)),
            batch=bool(call.attr(f"transBatch{s}", 0)),
        )
        for index, s in enumerate("AB")
    )
    return results(call, info(call.dtype(0), matmul(a, b)))


def _product(*op_types: str, b: int = 1, dtype: DType | int = 0) -> None:
    """Declare plain matrix products: which input is B, and the output's type or the input that has it."""

    def rule(call: OpCall) -> list[TensorInfo]:
        kind = call.dtype(dtype) if isinstance(dtype, int) else dtype
        return results(call, info(kind, matmul(dims(call, 0), dims(call, b))))

    shape(*op_types, domain=MICROSOFT)(rule)


_product("MatMulIntegerToFloat", dtype=2)
_product("DynamicQuantizeMatMul", "GemmFastGelu")
_product("MatMulInteger16", dtype=INT32)


def _gemm(call: OpCall, b: int) -> Shape:
    left, right = dims(call, 0, 2), dims(call, b, 2)
    rows = left[1 if call.attr("transA", 0) else 0] if left else None
    columns = right[0 if call.attr("transB", 0) else 1] if right else None
    return (rows, columns)


@shape("FusedGemm", domain=MICROSOFT)
def fused_gemm(call: OpCall) -> list[TensorInfo]:
    """M x N."""
    return results(call, info(call.dtype(0), _gemm(call, 1)))


@shape("GemmFloat8", domain=MICROSOFT)
def gemm_float8(call: OpCall) -> list[TensorInfo]:
    """M x N, in the type of the attribute (float32 by default)."""
    return results(call, info(dtype_of(call.attr("dtype", 1)), _gemm(call, 1)))


@shape("QGemm", domain=MICROSOFT)
def quantized_gemm(call: OpCall) -> list[TensorInfo]:
    """M x N, quantized only where the output has a zero point."""
    return results(call, info(call.dtype(8) if call.has(8) else FLOAT, _gemm(call, 3)))


def _columns(call: OpCall, columns: Dim) -> TensorInfo:
    return info(call.dtype(0), replaced(dims(call, 0), -1, columns))


def _width(call: OpCall, name: str) -> int:
    width = attribute(call, name, -1)
    if width < 1:
        raise BadCallError(f"{name} of {call.op_type} is {width}")
    return width


@shape("MatMulNBits", "MatMulNBitsQLoRA", "MatMulPacked", domain=MICROSOFT)
def packed_weight(call: OpCall) -> list[TensorInfo]:
    """The last axis becomes N."""
    return results(call, _columns(call, _width(call, "N")))


@shape("MatMulBnb4", domain=MICROSOFT)
def four_bit_weight(call: OpCall) -> list[TensorInfo]:
    """The last axis becomes N, or K where the weight is not transposed."""
    return results(call, _columns(call, _width(call, "N" if call.attr("transB", 1) else "K")))


@shape("MatMulNBitsMlp", domain=MICROSOFT)
def packed_mlp(call: OpCall) -> list[TensorInfo]:
    """The gated product, and the residual sum."""
    return results(call, _columns(call, _width(call, "N")), info(call.dtype(0), dims(call, 0)))


@shape("MatMulNBitsQkv", domain=MICROSOFT)
def packed_qkv(call: OpCall) -> list[TensorInfo]:
    """Query, key, value, and the residual sum."""
    query, keys = (_columns(call, _width(call, name)) for name in ("Nq", "Nkv"))
    return results(call, query, keys, keys, info(call.dtype(0), dims(call, 0)))


@shape("MatMulBlockQuantizedFp4Weight", "MatMulBlockQuantizedFp8Weight", domain=MICROSOFT)
def rows_of_weight(call: OpCall) -> list[TensorInfo]:
    """The last axis becomes the number of rows of the weight."""
    weight = dims(call, 1, 2)
    return results(call, _columns(call, weight[0] if weight else None))


@shape("MatMulFpQ4", domain=MICROSOFT)
def blob_weight(call: OpCall) -> list[TensorInfo]:
    """A product with a weight whose shape is the third input."""
    weight = known(call, 2)
    return results(call, info(call.dtype(0), matmul(dims(call, 0), tuple(weight) if weight else None)))


@shape("QOrderedMatMul", domain=MICROSOFT)
def ordered_matmul(call: OpCall) -> list[TensorInfo]:
    """A product; in column order (0) B is given transposed."""
    b = dims(call, 2)
    swapped = _turned(b, last=attribute(call, "order_B") == 0, batch=False)
    return results(call, info(call.dtype(0), matmul(dims(call, 0), swapped)))
