"""Matrix products with weights packed to a few bits: the attributes K and N say their real size."""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import counts, need, same, shaped, whole, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.elementwise import activation_flops
from nnea_graph.ops.costs.normalization import normalized
from nnea_graph.ops.registry import MICROSOFT

UNPACK = 2
"""Subtracting the zero point and multiplying by the scale, once a weight."""


def packed(call: OpCall, columns: int, *, bias: bool = False) -> OperatorCost:
    """Rows of input 0 times a weight of K x ``columns``, which is unpacked beforehand."""
    terms = whole(call, "K", least=1)
    return dot_products(_rows(call, terms) * columns, terms, bias=bias) + _unpacked(terms, columns)


def _rows(call: OpCall, terms: int) -> int:
    shape = call.shape(0)
    need(shape, "input 0 is a scalar")
    same(shape[-1], terms, "the last dim of input 0 and K differ")
    return prod(shape[:-1])


def _unpacked(terms: int, columns: int) -> OperatorCost:
    return OperatorCost(other_flops=UNPACK * terms * columns)


@work("MatMulNBits", "MatMulBnb4", "MatMulPacked", domain=MICROSOFT)
def matmul_nbits(call: OpCall) -> OperatorCost:
    """One product, and the activation that MatMulPacked may name."""
    after = activation_flops(word(call, "activation_type", "none")) * call.out_size()
    return packed(call, whole(call, "N", least=1), bias=call.has(5)) + OperatorCost(other_flops=after)


@work("MatMulBlockQuantizedFp4Weight", "MatMulBlockQuantizedFp8Weight", domain=MICROSOFT)
def matmul_block_quantized(call: OpCall) -> OperatorCost:
    """One product with float weights that are scaled by block; the activations may be quantized first."""
    terms, columns = shaped(call, 0, 1, 64)[-1], shaped(call, 1, 2)[0]
    counted = dot_products(_rows(call, terms) * columns, terms, bias=call.has(_bias_of(call)))
    return counted + OperatorCost(other_flops=terms * columns)


def _bias_of(call: OpCall) -> int:
    """Determines which input is the bias."""
    return 5 if "Fp4" in call.op_type else 4


@work("MatMulFpQ4", domain=MICROSOFT)
def matmul_fpq4(call: OpCall) -> OperatorCost:
    """One product; the weight's shape is the value of input 2."""
    shape = counts(call.value(2), "the shape of B")
    same(len(shape), 2, "the rank of B")
    terms, columns = shape
    return dot_products(_rows(call, terms) * columns, terms) + _unpacked(terms, columns)


@work("MatMulNBitsMlp", domain=MICROSOFT)
def matmul_nbits_mlp(call: OpCall) -> OperatorCost:
    """A gate and a value of the same, normalized input; activation(gate) · value."""
    columns = whole(call, "N", least=1)
    gate, up = packed(call, columns, bias=call.has(5)), packed(call, columns, bias=call.has(8))
    after = (activation_flops(word(call, "activation", "silu")) + 1) * call.out_size()
    return gate + up + _normalized(call) + OperatorCost(other_flops=after)


@work("MatMulNBitsQkv", domain=MICROSOFT)
def matmul_nbits_qkv(call: OpCall) -> OperatorCost:
    """Query, key and value of the same, normalized input."""
    wide, narrow = whole(call, "Nq", least=1), whole(call, "Nkv", least=1)
    query = packed(call, wide, bias=call.has(5))
    key, value = packed(call, narrow, bias=call.has(8)), packed(call, narrow, bias=call.has(11))
    return query + key + value + _normalized(call)


def _normalized(call: OpCall) -> OperatorCost:
    if not call.has(2):
        return OperatorCost()
    elements = call.size(0)
    groups = elements // max(call.shape(0)[-1], 1)
    skipped = OperatorCost(other_flops=elements * call.has(1))
    return skipped + normalized(elements, groups, centered=False, shifted=False)


@work("MatMulNBitsQLoRA", domain=MICROSOFT)
def matmul_nbits_qlora(call: OpCall) -> OperatorCost:
    """The base product, the two narrow ones of the adapter, and their sum."""
    terms, columns = whole(call, "K", least=1), whole(call, "N", least=1)
    rank, rows = shaped(call, 3, 2, 3)[0], _rows(call, terms)
    down = dot_products(rows * rank, terms) + _unpacked(terms, rank)
    up = dot_products(rows * columns * bool(rank), rank) + _unpacked(rank, columns)
    return packed(call, columns) + down + up + OperatorCost(other_flops=rows * columns * bool(rank))


@work("RouterGateUpProj", domain=MICROSOFT)
def router_gate_up(call: OpCall) -> OperatorCost:
    """One product whose columns are router logits, gate and value; silu(gate) · value."""
    terms, columns = shaped(call, 1, 2)
    after = (activation_flops("silu") + 1) * call.out_size(1)
    return dot_products(_rows(call, terms) * columns, terms) + OperatorCost(other_flops=after)
