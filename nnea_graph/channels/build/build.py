"""Builds the channel graph of a model in one walk along its execution order."""

from __future__ import annotations

from nnea_graph.channels.build.coverage import layers
from nnea_graph.channels.build.input_channels import input_channels, standings
from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.rule_context.model_view import ModelView
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES
from nnea_graph.channels.rule_context.state import CHANNEL_LIMIT, ChannelGraphBuilder
from nnea_graph.channels.rules.control_flow import enter
from nnea_graph.graph import OpNode
from nnea_graph.ops.call import BadCallError, UnknownFactError
from nnea_graph.static.result import call_of


def build_channels(sight: ModelView) -> ChannelGraph:
    """Follow the channels of all inputs and weights through every operator that runs."""
    draft = ChannelGraphBuilder(sight)
    if not sight.layers:  # nothing that channels could lead to
        return draft.finish(*layers(draft))
    known = standings(sight, visit)
    for name in sight.graph.inputs:
        found = None if name in sight.graph.constants else input_channels(sight, name, visit, known)
        if found is not None and 0 < found.count <= CHANNEL_LIMIT:
            draft.begin(name, found.axes, found.dims)
    entered: set[str] = set()
    for node in sight.graph:
        if node.body not in sight.idle:
            _enter(draft, node.body, entered)
            visit(draft, node)
    _lost_outputs(draft)
    covered, uncovered = layers(draft)
    return draft.finish(covered, uncovered)


def _enter(draft: ChannelGraphBuilder, path: str, entered: set[str]) -> None:
    """Bind the inputs of a body, outer ones first, before its first operator."""
    pending = []
    while path and path not in entered:
        entered.add(path)
        pending.append(draft.sight.graph.bodies[path])
        path = pending[-1].outer
    for body in reversed(pending):
        enter(draft, body)


def visit(draft: ChannelGraphBuilder, node: OpNode) -> None:
    """Lead channels through one operator; where that cannot be done they end, with the reason."""
    constant = draft.sight.found.constant
    if node.outputs and all(name in constant for name in node.outputs if name):
        return
    site = OpContext(draft, node, call_of(node, draft.sight.found))
    rule = CHANNEL_RULES.get(node.op_type, node.domain) or _no_rule
    try:
        rule(site)
    except (UnknownFactError, BadCallError) as error:
        site.end_all(str(error))
        _note(draft, node, str(error))
    _hand_on(draft, node)


def _no_rule(site: OpContext) -> None:
    node = site.node
    name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    raise UnknownFactError(f"no rule says where the channels of {name} go")


def _note(draft: ChannelGraphBuilder, node: OpNode, reason: str) -> None:
    if not any(name in draft.tensors for name in node.outputs):
        draft.apart.setdefault(node.id, reason)


def _hand_on(draft: ChannelGraphBuilder, node: OpNode) -> None:
    """Outputs without channels remember where those of the inputs ended."""
    lost = next((draft.lost[name] for name in node.inputs if name in draft.lost), None)
    for name in node.outputs if lost is not None else ():
        if name and name not in draft.tensors and lost is not None:
            draft.lost.setdefault(name, lost)


def _lost_outputs(draft: ChannelGraphBuilder) -> None:
    """An output of the model that is not on the graph names where its channels ended."""
    for name in draft.sight.graph.outputs:
        lost = draft.lost.get(name)
        if name not in draft.tensors and lost is not None:
            draft.end(draft.sight.graph.node(lost.node), lost.tensor, lost.reason)
