"""What speaks against running a model in this process: no bound on its memory or time, or operators of others."""

from __future__ import annotations

from collections.abc import Sequence

from nnea_graph.graph import ModelGraph
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.static.cost_counting import NodeCost, nbytes
from nnea_graph.static.result import StaticFacts

MOST_BYTES = 1 << 30
MOST_CONSTANT_BYTES = 1 << 28
MOST_WORK = 100_000_000_000
MOST_TRIPS = 10_000
MOST_NODES = 10_000

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", MICROSOFT})


def doubt(  # noqa: PLR0913 - the facts that say what a run takes
    graph: ModelGraph,
    found: StaticFacts,
    works: Sequence[NodeCost],
    *,
    peak: int,
    unknown: int,
    samples: int,
) -> str:
    """Reason why batches of so many samples should be run in another process; "" if nothing speaks against this one.

    ``peak`` is the most bytes of activations at once for one sample, ``unknown`` how many tensors have no known
    size; ``works`` are of one sample. Only what is known to be small is trusted: onnxruntime stops between
    operators, never in one, and takes memory until there is none.
    """
    counts = [(work.count("macs"), work.count("other_flops")) for work in works if work.runs != 0]
    spent = sum((macs or 0) + (other or 0) for macs, other in counts) * samples
    peak *= samples
    endless = [work for work in works if work.runs is None or work.runs > MOST_TRIPS]
    reasons = (
        (unknown, f"{unknown:,} tensors have no known size"),
        (peak > MOST_BYTES, f"activations take {peak:,} bytes"),
        (endless, "a loop has no known end, or too many trips"),
        (any(None in count for count in counts), "the cost of some operators is not known"),
        (spent > MOST_WORK, f"one run takes {spent:,} operations"),
        (len(graph) > MOST_NODES, f"there are {len(graph):,} operators"),
        (_foreign(graph), "there are operators that are not onnxruntime's own"),
        (_grown(graph, found), "constants are computed that take much or unknown memory"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _foreign(graph: ModelGraph) -> bool:
    return any(node.domain not in _DOMAINS for node in graph)


def _grown(graph: ModelGraph, found: StaticFacts) -> bool:
    """Tells whether constants take much that are computed while a session is made, where no time limit reaches."""
    sizes = [nbytes(found.types.get(name)) for name in found.constant if name not in graph.constants]
    return None in sizes or sum(size or 0 for size in sizes) > MOST_CONSTANT_BYTES
