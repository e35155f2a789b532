"""The links of every operator of small random networks are those along which onnxruntime moves."""

from __future__ import annotations

import numpy as np
import pytest
from model_zoo.channel_nets import NETS
from oracles.channel_pass import channels_of
from oracles.perturbation import all_values, feeds_of, linked, moved

from nnea_graph.channels.graph import ChannelGraph, Link

MIXING = {"LayerNormalization", "InstanceNormalization", "Softmax"}
"""What normalizes moves all channels by one; it carries each to itself."""


def links_by_place(channels: ChannelGraph) -> dict[tuple[str, str, str], list[Link]]:
    found: dict[tuple[str, str, str], list[Link]] = {}
    for links in channels.into.values():
        for link in links:
            found.setdefault((link.node, link.source, link.target), []).append(link)
    return found


@pytest.mark.parametrize("name", NETS)
def test_links_are_where_the_runtime_moves(name: str) -> None:
    model = NETS[name]()
    channels = channels_of(model)
    values = all_values(model, feeds_of(model))
    nodes = {node.name: node for node in model.graph.node if not any(a.HasField("g") for a in node.attribute)}
    checked = 0
    for (node, source, target), links in links_by_place(channels).items():
        if node not in nodes or channels.tensors[source].count > 64:
            continue
        measured = moved(model, nodes[node], values, channels.tensors[source], channels.tensors[target])
        expected = linked(channels, links, source, target)
        if nodes[node].op_type in MIXING:
            assert (measured | ~expected).all(), (node, source)
        else:
            np.testing.assert_array_equal(measured, expected, f"{node}: {source} -> {target}")
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("name", sorted(set(NETS) - {"mixer"}))
def test_all_layers_lie_on_the_graph(name: str) -> None:
    model = NETS[name]()
    channels = channels_of(model)
    assert channels.uncovered == {}
    assert channels.covered
    assert channels.sinks == tuple(output.name for output in model.graph.output)
