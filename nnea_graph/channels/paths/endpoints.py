"""Ends: where paths may begin and end, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from nnea_graph.channels.graph import ChannelGraph, Places
from nnea_graph.errors import UsageError


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Channels, ascending, by tensor: a path begins in one of ``sources`` and ends in one of ``sinks``."""

    sources: Mapping[str, Places]
    sinks: Mapping[str, Places]

    @property
    def weight(self) -> float:
        """Weight of each sink channel: 1 / their number; 0 if there is none."""
        count = sum(channels.size for channels in self.sinks.values())
        return 1 / count if count else 0.0


def choose_ends(
    graph: ChannelGraph,
    sink: str = "",
    sink_channel: int | None = None,
    source: str = "",
    source_channel: int | None = None,
) -> Endpoints:
    """All outputs and all sources, or the named ones; a sink may be any tensor, or the operator that makes it.

    Raises:
        UsageError: a name that is not on the channel graph, a channel out of range, or one without a tensor to it.
    """
    sinks = (_tensor(graph, sink),) if sink else tuple(dict.fromkeys(graph.sinks))
    sources = (_source(graph, source),) if source else tuple(dict.fromkeys(graph.sources))
    return Endpoints(
        sources=_channels(graph, "source", sources, source_channel),
        sinks=_channels(graph, "sink", sinks, sink_channel),
    )


def _tensor(graph: ChannelGraph, name: str) -> str:
    if name in graph.tensors:
        return name
    made = [target for target, links in graph.into.items() if any(link.node == name for link in links)]
    if made:
        return made[0]
    raise UsageError(
        f"pathways: no tensor or operator '{name}' on the channel graph{_hint(name, graph.tensors)}"
    )


def _source(graph: ChannelGraph, name: str) -> str:
    if name not in graph.sources:
        raise UsageError(
            f"pathways: paths do not begin in '{name}'; they begin in {', '.join(graph.sources) or 'nothing'}"
        )
    return name


def _hint(name: str, names: Mapping[str, object]) -> str:
    near = get_close_matches(name, list(names), 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _channels(
    graph: ChannelGraph, end: str, names: tuple[str, ...], channel: int | None
) -> dict[str, Places]:
    if channel is None:
        return {name: np.arange(graph.tensors[name].count) for name in names}
    if len(names) != 1:
        raise UsageError(
            f"pathways: {end}_channel={channel} of which tensor? name one: {end}={'|'.join(names) or '…'}"
        )
    count = graph.tensors[names[0]].count
    if not 0 <= channel < count:
        raise UsageError(f"pathways: '{names[0]}' has channels 0 to {count - 1}, not {channel}")
    return {names[0]: np.array([channel])}
