"""Matrix products: an output element is a dot product over the shared dim."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnea_graph.ops.attribute_checks import need, number, same, shaped, whole, word
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.elementwise import TANH_GELU, activation_flops
from nnea_graph.ops.costs.pooling import REQUANTIZE
from nnea_graph.ops.registry import MICROSOFT


def product(left: Sequence[int], right: Sequence[int], *, bias: bool = False) -> OperatorCost:
    """Work of numpy.matmul on two shapes: 1-D operands are a row and a column, leading dims broadcast."""
    need(left and right, "a matrix product needs operands of rank 1 or more")
    rows = left[-2] if len(left) > 1 else 1
    columns = right[-1] if len(right) > 1 else 1
    terms = right[-2] if len(right) > 1 else right[0]
    same(left[-1], terms, "the shared dims of the operands differ")
    return dot_products(prod(broadcast(left[:-2], right[:-2])) * rows * columns, terms, bias=bias)


def broadcast(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """The shape that two shapes broadcast to."""
    width = max(len(left), len(right))
    pairs = zip(
        (1,) * (width - len(left)) + tuple(left), (1,) * (width - len(right)) + tuple(right), strict=True
    )
    return tuple(_wider(one, other) for one, other in pairs)


def _wider(one: int, other: int) -> int:
    if one != other and 1 not in {one, other}:
        raise BadCallError(f"dims {one} and {other} do not broadcast")
    return other if one == 1 else one


@work("MatMul")
def matmul(call: OpCall) -> OperatorCost:
    """See ``product``."""
    return product(call.shape(0), call.shape(1))


@work("MatMulInteger16", domain=MICROSOFT)
@work("MatMulInteger")
def matmul_integer(call: OpCall) -> OperatorCost:
    """A product; zero points are subtracted from every element beforehand."""
    shifted = sum(call.size(index) for index in (0, 1) if call.has(index + 2))
    return product(call.shape(0), call.shape(1)) + OperatorCost(other_flops=shifted)


@work("QLinearMatMul")
def qlinear_matmul(call: OpCall) -> OperatorCost:
    """A product of quantized numbers, quantized again."""
    counted = product(call.shape(0), call.shape(3))
    return counted + OperatorCost(other_flops=call.size(0) + call.size(3) + REQUANTIZE * call.out_size())


@work("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(call: OpCall) -> OperatorCost:
    """An integer product, scaled; zero points beforehand."""
    shifted = sum(call.size(index) for index in (0, 1) if call.has(index + 4))
    counted = product(call.shape(0), call.shape(1), bias=call.has(6))
    return counted + OperatorCost(other_flops=shifted + call.out_size())


@work("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(call: OpCall) -> OperatorCost:
    """Least and largest of A, A quantized, an integer product, scaled."""
    shifted = call.size(1) if call.has(3) else 0
    counted = product(call.shape(0), call.shape(1), bias=call.has(4))
    return counted + OperatorCost(other_flops=(2 + REQUANTIZE) * call.size(0) + shifted + call.out_size())


@work("FusedMatMul", "TransposeMatMul", "SparseToDenseMatMul", domain=MICROSOFT)
def fused_matmul(call: OpCall) -> OperatorCost:
    """A product of transposed operands, scaled by alpha. A sparse operand counts as if it were dense."""
    left = _transposed(call, 0, "A")
    right = _transposed(call, 1, "B")
    sparse = "zeros of the sparse operand count as if they were stored" if "Sparse" in call.op_type else ""
    return product(left, right) + OperatorCost(
        other_flops=_scaling(call, "alpha") * call.out_size(), estimate=sparse
    )


@work("FusedMatMulActivation", domain=MICROSOFT)
def fused_matmul_activation(call: OpCall) -> OperatorCost:
    """Same as ``FusedMatMul``, then an activation."""
    after = activation_flops(word(call, "activation", ""))
    return fused_matmul(call) + OperatorCost(other_flops=after * call.out_size())


def _transposed(call: OpCall, index: int, letter: str) -> tuple[int, ...]:
    """Shape of an operand as the product sees it; a vector has nothing to transpose."""
    shape = call.shape(index)
    if len(shape) > 2 and whole(call, f"transBatch{letter}", 0):
        shape = (*shape[1:-1], shape[0], shape[-1])
    if len(shape) > 1 and whole(call, f"trans{letter}", 0):
        shape = (*shape[:-2], shape[-1], shape[-2])
    return shape


def _scaling(call: OpCall, name: str) -> int:
    return int(number(call, name, 1.0) != 1)


def general(call: OpCall, left: int, right: int, addend: int) -> OperatorCost:
    """Gemm on the inputs of these numbers: alpha · A · B + beta · C; C is the bias unless beta is 0."""
    a, b = shaped(call, left, 2), shaped(call, right, 2)
    if whole(call, "transA", 0):
        a = a[::-1]
    if whole(call, "transB", 0):
        b = b[::-1]
    beta = number(call, "beta", 0.0 if call.op_type == "GemmFloat8" else 1.0)
    added = call.has(addend) and beta != 0
    scaled = _scaling(call, "alpha") * call.out_size() + (call.size(addend) if added and beta != 1 else 0)
    return product(a, b, bias=added) + OperatorCost(other_flops=scaled)


@work("Gemm")
def gemm(call: OpCall) -> OperatorCost:
    """See ``general``."""
    return general(call, 0, 1, 2)


@work("FusedGemm", "GemmFloat8", domain=MICROSOFT)
def fused_gemm(call: OpCall) -> OperatorCost:
    """Gemm and an activation."""
    after = activation_flops(word(call, "activation", ""))
    return general(call, 0, 1, 2) + OperatorCost(other_flops=after * call.out_size())


@work("GemmFastGelu", domain=MICROSOFT)
def gemm_fast_gelu(call: OpCall) -> OperatorCost:
    """A product and GELU by tanh."""
    counted = product(call.shape(0), call.shape(1), bias=call.has(2))
    return counted + OperatorCost(other_flops=TANH_GELU * call.out_size())


@work("QGemm", domain=MICROSOFT)
def qgemm(call: OpCall) -> OperatorCost:
    """Gemm of quantized numbers; the result is quantized again where it has a scale."""
    shifted = call.size(0) + call.size(3)
    after = REQUANTIZE if call.has(7) else 1
    return general(call, 0, 3, 6) + OperatorCost(other_flops=shifted + after * call.out_size())


@work("QOrderedMatMul", domain=MICROSOFT)
def qordered_matmul(call: OpCall) -> OperatorCost:
    """A product of quantized numbers in a stated order of memory; the tensor C is scaled and added."""
    counted = dot_products(call.out_size(), shaped(call, 0, 2, 3)[-1], bias=call.has(5))
    return counted + OperatorCost(other_flops=(REQUANTIZE + 2 * call.has(6)) * call.out_size())


@work("CDist", domain=MICROSOFT)
def cdist(call: OpCall) -> OperatorCost:
    """Distance of every pair of rows: subtract, square and add a term, one root."""
    left, right = shaped(call, 0, 2), shaped(call, 1, 2)
    same(left[1], right[1], "the rows differ in length")
    each = max(3 * left[1] - 1, 0) + (word(call, "metric", "sqeuclidean") == "euclidean")
    return OperatorCost(other_flops=left[0] * right[0] * each)


@work("Det")
def det(call: OpCall) -> OperatorCost:
    """Elimination: 2/3 · n³ adds and multiplies a matrix, rounded down."""
    *batch, rows, side = shaped(call, 0, 2, 64)
    same(rows, side, "the matrix is not square")
    return OperatorCost(other_flops=prod(batch) * (2 * side**3 // 3))


@work("Inverse", domain=MICROSOFT)
def inverse(call: OpCall) -> OperatorCost:
    """Elimination of the matrix beside the identity: 2 · n³ adds and multiplies a matrix."""
    *batch, rows, side = shaped(call, 0, 2, 64)
    same(rows, side, "the matrix is not square")
    return OperatorCost(other_flops=prod(batch) * 2 * side**3)
