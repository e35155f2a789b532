"""Reductions: what is summed over may go, as zeros do; a largest number, or a mean, would change.

A mean of squares over channels is what a root-mean-square normalization divides by: zeros change only its count,
which the surgery sets right. A plain mean is subtracted from every channel (a layer normalization taken apart), which
leaves no zero a zero: there channels stay.
"""

from __future__ import annotations

from nnea_graph.rewrite.coupling.op_context import (
    COUPLING_RULES,
    CouplingContext,
    CouplingRule,
    NotFollowedError,
    coupling,
)

SUMS = ("ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare")
OTHERS = ("ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum", "ReduceLogSumExp")


def reduction(*, free: bool) -> CouplingRule:
    """``free``: zeros along the axis change nothing."""

    def rule(site: CouplingContext) -> None:
        x, y = site.name(0), site.out()
        axes = _axes(site)
        if not free:
            for axis in axes:
                site.pin(x, axis, "taken over the channels, whose number counts")
        _kept(site, x, y, axes, keep=bool(site.call.attr("keepdims", 1)))

    return rule


COUPLING_RULES.add(reduction(free=True), *SUMS)
COUPLING_RULES.add(reduction(free=False), *OTHERS)


@coupling("ReduceMean")
def mean(site: CouplingContext) -> None:
    """Means of squares, or of anything."""
    reduction(free=_squared(site))(site)


def _squared(site: CouplingContext) -> bool:
    made = site.draft.graph.producer(site.name(0))
    if made is None or made.op_type not in {"Mul", "Pow"}:
        return False
    if made.op_type == "Mul":
        return made.inputs[0] == made.inputs[1]
    exponent = site.draft.found.values.get(made.inputs[1])
    return exponent is not None and exponent.size == 1 and float(exponent.reshape(-1)[0]) == 2


def _axes(site: CouplingContext) -> set[int]:
    rank = site.rank(site.name(0))
    listed = site.ints(1) if site.name(1) else site.call.attr("axes")
    if site.name(1) and listed is None:
        raise NotFollowedError(f"{site.node.op_type}: its axes are not known")
    if not listed:
        return set() if site.call.attr("noop_with_empty_axes", 0) else set(range(rank))
    return {int(axis) % rank for axis in listed}


def _kept(site: CouplingContext, x: str, y: str, axes: set[int], *, keep: bool) -> None:
    left = [axis for axis in range(site.rank(x)) if axis not in axes]
    for place, axis in enumerate(left):
        site.same(x, axis, y, axis if keep else place)


@coupling("ArgMax", "ArgMin")
def position(site: CouplingContext) -> None:
    """The place of a number along an axis."""
    x, axis = site.name(0), int(site.call.attr("axis", 0)) % site.rank(site.name(0))
    site.pin(x, axis, "gives positions along it")
    _kept(site, x, site.out(), {axis}, keep=bool(site.call.attr("keepdims", 1)))


@coupling("TopK")
def top_k(site: CouplingContext) -> None:
    """The largest along an axis."""
    x, axis = site.name(0), int(site.call.attr("axis", -1)) % site.rank(site.name(0))
    for output in filter(None, site.node.outputs):
        for other in range(site.rank(x)):
            if other != axis:
                site.same(x, other, output, other)
        site.pin(output, axis, "gives the largest along it")
    site.pin(x, axis, "gives the largest along it")
