"""Sorting, searching and suppressing: how many compares it takes depends on the data."""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import known, need, same, shaped, single
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.registry import MICROSOFT

SORTING = "compares depend on the data: n · log2 n count"
SUPPRESSING = "what is suppressed depends on the data: every kept box is compared with all"
INTERSECTION = 13
"""Two max, two min, two subtracts, two clamps, a multiply, an add, a subtract, a divide, a compare."""


def sorting(elements: int, kept: int) -> int:
    """Compares that keep so many of the elements in order: n · ⌈log2 (kept + 1)⌉."""
    return elements * kept.bit_length()


@work("TopK")
def top_k(call: OpCall) -> OperatorCost:
    """A heap of K elements a line."""
    axis = call.attr("axis", -1)
    rank = len(call.shape(0))
    need(isinstance(axis, int) and -rank <= axis < rank, f"axis {axis!r:.60} is outside the rank {rank}")
    same(len(call.out()), rank, "ranks of input and output differ")
    return OperatorCost(other_flops=sorting(call.size(0), call.out()[axis]), estimate=SORTING)


@work("Unique")
@work("Unique", domain=MICROSOFT)
def unique(call: OpCall) -> OperatorCost:
    """A sort of all elements."""
    return OperatorCost(other_flops=sorting(call.size(0), call.size(0)), estimate=SORTING)


@work("NonZero")
def non_zero(call: OpCall) -> OperatorCost:
    """One compare an element."""
    return OperatorCost(other_flops=call.size(0))


@work("NonMaxSuppression")
def non_max_suppression(call: OpCall) -> OperatorCost:
    """A sort of the scores, then each box that is kept against all boxes, in every class of every sample."""
    boxes, scores = shaped(call, 0, 3), shaped(call, 1, 3)
    same(boxes[0], scores[0], "samples of boxes and scores differ")
    same(boxes[1], scores[2], "boxes and their scores differ in number")
    limit = known(call, 2)
    kept = boxes[1] if limit is None else min(single(limit, "max_output_boxes_per_class"), boxes[1])
    each = sorting(boxes[1], boxes[1]) + kept * boxes[1] * INTERSECTION
    return OperatorCost(other_flops=scores[0] * scores[1] * each, estimate=SUPPRESSING)


@work("NGramRepeatBlock", domain=MICROSOFT)
def ngram_repeat_block(call: OpCall) -> OperatorCost:
    """One compare for every token of every n-gram at every position."""
    tokens = shaped(call, 0, 2)
    size = call.attr("ngram_size", 1)
    need(isinstance(size, int) and size >= 1, f"ngram_size is {size!r:.60}")
    return OperatorCost(
        other_flops=prod(tokens) * size, estimate="a compare ends at the first difference: all count"
    )


@work("DynamicTimeWarping", domain=MICROSOFT)
def dynamic_time_warping(call: OpCall) -> OperatorCost:
    """Two compares and an add for every cell of the cost matrix."""
    return OperatorCost(other_flops=3 * call.size(0))


@work("IsAllFinite", domain=MICROSOFT)
def is_all_finite(call: OpCall) -> OperatorCost:
    """One test an element of every tensor."""
    return OperatorCost(other_flops=sum(call.size(index) for index in range(len(call.inputs))))
