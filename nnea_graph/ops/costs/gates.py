"""Gates and mixes of parallel streams, fused by onnxruntime for recent language models."""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import made, need, parts, same, shaped, whole
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, free, work
from nnea_graph.ops.costs.elementwise import FUNCTIONS
from nnea_graph.ops.costs.normalization import normalized
from nnea_graph.ops.registry import MICROSOFT

SIGMOID = FUNCTIONS["Sigmoid"]

free("looks elements up", "RelativePositionBias", domain=MICROSOFT)


@work("GatedRelativePositionBias", domain=MICROSOFT)
def gated_relative_position_bias(call: OpCall) -> OperatorCost:
    """A small product a query and head, halves summed and squashed into two gates, which scale the bias."""
    size, columns = shaped(call, 3, 2)
    samples, heads, positions, keys = made(call, 0, 4)
    need(columns > 0 and columns % 2 == 0, f"the weight has {columns} columns, not an even number")
    queries = samples * heads * positions
    gates = queries * (size + columns - 2 + 2 * SIGMOID + 4)
    return dot_products(queries * columns, size, bias=call.has(4)) + OperatorCost(
        other_flops=gates + queries * keys
    )


@work("GatedAdd", domain=MICROSOFT)
def gated_add(call: OpCall) -> OperatorCost:
    """A multiply and an add an element; the gate may be a projection of its own and a sigmoid."""
    added = OperatorCost(other_flops=2 * call.out_size())
    if not call.has(3):
        return added
    terms = call.shape(2)[-1] if call.shape(2) else 0
    same(call.size(3), terms, "features of the gate and of its weight differ")
    rows = prod(call.shape(2)[:-1])
    return added + dot_products(rows, terms) + OperatorCost(other_flops=rows * SIGMOID)


@work("EngramGate", domain=MICROSOFT)
def engram_gate(call: OpCall) -> OperatorCost:
    """Keys and queries normalized and multiplied, a gate of the sum, the value scaled (and normalized)."""
    shape = shaped(call, 0, 4)
    elements, rows = call.size(0), prod(shape[:-1])
    normed = normalized(elements, rows, centered=False, shifted=False)
    more = normed if len(call.outputs) > 1 and call.outputs[1] is not None else OperatorCost()
    return normed + normed + more + OperatorCost(other_flops=3 * elements + rows * (SIGMOID + 6))


@work("HyperConnectionPreMix", domain=MICROSOFT)
def pre_mix(call: OpCall) -> OperatorCost:
    """Every stream times its gate, all added, scaled."""
    return OperatorCost(other_flops=2 * call.size(0))


@work("HyperConnectionPostMix", domain=MICROSOFT)
def post_mix(call: OpCall) -> OperatorCost:
    """Every stream and the gated output of the block; a matrix over the streams where it is there."""
    branches = shaped(call, 3, 2, 64)[-1] if call.has(3) else 1
    mixed = max(2 * branches - 1, 0) if call.has(3) else 0
    return OperatorCost(other_flops=(mixed + 2) * call.out_size())


@work("HyperConnectionLowRankMix", domain=MICROSOFT)
def low_rank_mix(call: OpCall) -> OperatorCost:
    """Streams normalized, gates by two narrow products, streams mixed; the next gate by a third product."""
    features, rank = shaped(call, 2, 2)
    branches = whole(call, "num_branches", least=1)
    rows = parts(call.size(0), features, "elements")
    prologue = 2 * call.size(0) * call.has(5)
    matrices = dot_products(rows * rank, features) + dot_products(rows * features, rank)
    following = dot_products(rows * branches, features)
    normed = normalized(call.size(0), rows * branches, centered=False, shifted=False)
    gates = rows * (rank * (SIGMOID + 2) + features * (SIGMOID + 4) + branches * (SIGMOID + 2))
    return matrices + following + normed + OperatorCost(other_flops=prologue + gates)
