"""Determines which families may lose groups, in which steps, and why the others stay whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import gcd

from nnea_graph.graph import ModelGraph
from nnea_graph.rewrite.coupling.groups import Family
from nnea_graph.rewrite.coupling.solver import ALL_TOGETHER
from nnea_graph.rewrite.selection.channel_blocks import kind_of, steps_of
from nnea_graph.rewrite.selection.consumers import ConsumerLayer

KEPT_ANYWAY = "kept, as --keep says"
NO_READER = (
    "no Conv, Gemm or MatMul on stored float weights reads its channels: what they are worth is not known"
)

Readers = Mapping[str, Sequence[ConsumerLayer]]
"""By family, see ``readers_of``."""


def steps_by_family(
    graph: ModelGraph, families: Sequence[Family], readers: Readers, align: str
) -> Mapping[str, int]:
    """Number of groups whose multiples are kept, by family; at most half of them. ``align`` as in ``steps_of``.

    Groups of several channels (heads of 32) make up multiples of channels by themselves.

    Raises:
        UsageError: ``align`` makes no sense.
    """
    kinds = {
        family.name: kind_of(
            [graph.node(layer).op_type for layer in family.layers]
            + [reader.layer.node.op_type for reader in readers[family.name]]
        )
        for family in families
    }
    steps = steps_of(align, kinds.values())
    return {
        family.name: min(_groups(steps[kinds[family.name]], family), max(1, len(family.groups) // 2))
        for family in families
    }


def _groups(step: int, family: Family) -> int:
    """Tells how many groups have a multiple of so many channels."""
    return step // gcd(step, family.channels)


def stays_whole(family: Family, readers: Sequence[ConsumerLayer]) -> str:
    """Reason why no channel of a family may go; "" where some may."""
    if len(family.groups) < 2:
        return ALL_TOGETHER
    return "" if readers else NO_READER


def is_kept(graph: ModelGraph, family: Family, patterns: Sequence[str]) -> bool:
    """Tells whether one of its layers, or the module of one, is named by a pattern."""
    names = [name for layer in family.layers for name in (layer, graph.node(layer).scope)]
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
