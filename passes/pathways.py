"""Finds the paths that carry most of the signal, exactly, and how much runs through every channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from nnea_graph.channels.paths.endpoints import Endpoints, choose_ends
from nnea_graph.channels.paths.forward_pass import forward
from nnea_graph.channels.paths.search import BestPaths, pathways
from nnea_graph.channels.paths.shares import Score, Vector
from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import UsageError
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.passes.channels import CHANNELS

PATHWAYS = Key[BestPaths]("pathways")
MARGINALS = Key[Mapping[str, Vector]]("marginals")
"""By tensor of the channel graph: the part of all path mass that runs through each channel, in float64."""

PATH_ENDS = Key[Endpoints]("path_ends")
"""Between which channels the paths were looked for."""


MOST_PATHS = 10_000
"""Paths that can be asked for: each costs a search, and a row in the report."""


@dataclass(frozen=True)
class PathwaysPass(Pass):
    """The ``k`` best paths by ``score``, from all sources to all outputs or between those that are named.

    ``sink`` is any tensor or the operator that makes it, ``sink_channel`` one class or neuron of it (of the output,
    if there is one only and no other is named); ``source`` and ``source_channel`` likewise for an input.
    """

    name = "pathways"
    requires = (CHANNELS,)
    provides = (PATHWAYS, MARGINALS, PATH_ENDS)

    k: int = 10
    score: str = "flow"
    sink: str = ""
    sink_channel: int | None = None
    source: str = ""
    source_channel: int | None = None

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Sweep forward once, and backward once for paths and marginals together."""
        score = checked_score(self.score)
        if not 1 <= self.k <= MOST_PATHS:
            raise UsageError(f"pathways: k={self.k}; ask for 1 to {MOST_PATHS:,} paths")
        channels = graph[CHANNELS]
        ends = choose_ends(channels, self.sink, self.sink_channel, self.source, self.source_channel)
        reached = forward(channels, score, ends.sources)
        graph[PATH_ENDS] = ends
        graph[PATHWAYS], graph[MARGINALS] = pathways(channels, reached, ends, score, self.k)


def checked_score(text: str) -> Score:
    """One of the scores.

    Raises:
        UsageError: a score that does not exist.
    """
    known: tuple[Score, ...] = get_args(Score)
    for score in known:
        if score == text:
            return score
    raise UsageError(f"pathways: there is no score '{text}'; write {' or '.join(known)}")
