"""Determines which layers, and what share of the work, lie on the channel graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.rule_context.computed_products import QUERY_KEY
from nnea_graph.channels.rule_context.state import ChannelGraphBuilder
from nnea_graph.graph import OpNode
from nnea_graph.ops.input_roles import Role, declared_role


@dataclass(frozen=True, slots=True)
class FollowedLayers:
    """Layers are operators with weights that run; MACs are None where no work is known.

    What weighs queries against keys is not followed by design: it counts neither as covered nor as a gap, and
    ``query_key_layers`` (position biases on the scores) and ``query_key_macs`` say how much that is.
    """

    layers: int
    covered_layers: int
    query_key_layers: int = 0
    macs: int | None = None
    covered_macs: int | None = None
    query_key_macs: int | None = None

    @property
    def layer_share(self) -> float | None:
        """Share of the layers; None where there are none."""
        return self.covered_layers / self.layers if self.layers else None

    @property
    def mac_share(self) -> float | None:
        """Share of the MACs but for those of queries and keys; None where there are none."""
        if self.macs is None or self.covered_macs is None or self.query_key_macs is None:
            return None
        asked = self.macs - self.query_key_macs
        return self.covered_macs / asked if asked else None


def coverage(channels: ChannelGraph, macs: Mapping[str, int] | None = None) -> FollowedLayers:
    """The shares, given the MACs of operators by id."""
    aside = sum(reason == QUERY_KEY for reason in channels.uncovered.values())
    counts = len(channels.covered) + len(channels.uncovered) - aside, len(channels.covered), aside
    if macs is None:
        return FollowedLayers(*counts)
    on_graph = set(channels.covered) | {link.node for links in channels.into.values() for link in links}
    on_graph -= set(channels.uncovered)
    query_key = {end.node for end in channels.ends if end.reason == QUERY_KEY} - on_graph
    return FollowedLayers(
        *counts,
        sum(macs.values()),
        sum(count for node, count in macs.items() if node in on_graph),
        sum(count for node, count in macs.items() if node in query_key),
    )


def layers(draft: ChannelGraphBuilder) -> tuple[tuple[str, ...], dict[str, str]]:
    """Operators with weights or scales that run: those on the draft, and the others with the reason."""
    covered: list[str] = []
    uncovered: dict[str, str] = {}
    linked = {link.node for links in draft.into.values() for link in links}
    for node in draft.sight.graph:
        if node.id not in draft.sight.layers or node.body in draft.sight.idle:
            continue
        begins = any(name in draft.tensors and not draft.into.get(name) for name in node.outputs)
        if node.id not in linked and not begins and _only_shaped(draft, node):
            continue
        if node.id not in draft.apart and (node.id in linked or begins):
            covered.append(node.id)
        else:
            uncovered[node.id] = draft.apart.get(node.id) or _reason(draft, node)
    return tuple(covered), uncovered


def _only_shaped(draft: ChannelGraphBuilder, node: OpNode) -> bool:
    """Tells whether the operator computes nothing but the shape of a constant, as an expanded class token."""
    constant = draft.sight.found.constant
    computed = [index for index, name in enumerate(node.inputs) if name and name not in constant]
    return all(declared_role(node.op_type, node.domain, index) is Role.SETTING for index in computed)


def _reason(draft: ChannelGraphBuilder, node: OpNode) -> str:
    lost = next((draft.lost[name] for name in (*node.inputs, *node.outputs) if name in draft.lost), None)
    if lost is None:
        return "its input has no channels"
    if lost.node == node.id or lost.reason == QUERY_KEY:
        return lost.reason
    return f"its input is not followed past '{lost.node}': {lost.reason}"
