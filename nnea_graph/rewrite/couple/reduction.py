"""Reductions: what is summed over may go, as zeros do; a mean or a largest number would change."""

from __future__ import annotations

from nnea_graph.rewrite.site import COUPLING_RULES, CouplingRule, NotFollowedError, Site, coupling

SUMS = ("ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare")
OTHERS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum", "ReduceLogSumExp")


def reduction(*, free: bool) -> CouplingRule:
    """``free``: zeros along the axis change nothing."""

    def rule(site: Site) -> None:
        x, y = site.name(0), site.out()
        axes = _axes(site)
        if not free:
            for axis in axes:
                site.pin(x, axis, "taken over the channels, whose number counts")
        _kept(site, x, y, axes, keep=bool(site.call.attr("keepdims", 1)))

    return rule


COUPLING_RULES.add(reduction(free=True), *SUMS)
COUPLING_RULES.add(reduction(free=False), *OTHERS)


def _axes(site: Site) -> set[int]:
    rank = site.rank(site.name(0))
    listed = site.ints(1) if site.name(1) else site.call.attr("axes")
    if site.name(1) and listed is None:
        raise NotFollowedError(f"{site.node.op_type}: its axes are not known")
    if not listed:
        return set() if site.call.attr("noop_with_empty_axes", 0) else set(range(rank))
    return {int(axis) % rank for axis in listed}


def _kept(site: Site, x: str, y: str, axes: set[int], *, keep: bool) -> None:
    left = [axis for axis in range(site.rank(x)) if axis not in axes]
    for place, axis in enumerate(left):
        site.same(x, axis, y, axis if keep else place)


@coupling("ArgMax", "ArgMin")
def position(site: Site) -> None:
    """The place of a number along an axis."""
    x, axis = site.name(0), int(site.call.attr("axis", 0)) % site.rank(site.name(0))
    site.pin(x, axis, "gives positions along it")
    _kept(site, x, site.out(), {axis}, keep=bool(site.call.attr("keepdims", 1)))


@coupling("TopK")
def top_k(site: Site) -> None:
    """The largest along an axis."""
    x, axis = site.name(0), int(site.call.attr("axis", -1)) % site.rank(site.name(0))
    for output in filter(None, site.node.outputs):
        for other in range(site.rank(x)):
            if other != axis:
                site.same(x, other, output, other)
        site.pin(output, axis, "gives the largest along it")
    site.pin(x, axis, "gives the largest along it")
