"""Flows of links equal sums over all paths, listed one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from oracles.channel_graphs import Sampler, carry, dense, graph_of

from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.paths.endpoints import choose_ends
from nnea_graph.channels.paths.forward_pass import forward
from nnea_graph.channels.paths.link_flows import Flows, link_flows
from nnea_graph.channels.paths.marginals import channel_marginals


def flows(graph: ChannelGraph) -> Flows:
    ends = choose_ends(graph)
    reached = forward(graph, "flow", ends.sources)
    return link_flows(graph, reached, channel_marginals(graph, reached, ends))


def test_a_join_divides_what_comes() -> None:
    """Channel 0 of y takes 1/4 from a and 3/4 from b, channel 1 all from b's dense link."""
    graph = graph_of(
        {"x": 2, "a": 2, "b": 2, "y": 2},
        [
            carry("x", "a", [0, 1]),
            dense("x", "b", [[1, 1], [1, 3]]),
            carry("a", "y", [0, -1], [0.25, 0.0]),
            dense("b", "y", [[1, 1], [0, 5]], [0.75, 1.0]),
        ],
        ("y",),
    )
    found = flows(graph)
    assert found["y"] == pytest.approx((1 / 8, 7 / 8))
    assert found["a"] == pytest.approx((1 / 8,))
    assert found["b"] == pytest.approx((7 / 8,))
    assert found["x"] == ()


def test_dense_links_at_a_join_are_weighed_by_what_they_bring() -> None:
    graph = graph_of(
        {"x": 2, "h": 4, "y": 2},
        [
            carry("x", "h", [0, 1, 0, 1]),
            dense("x", "y", [[1, 0], [0, 1]], [0.5, 0.5]),
            dense("h", "y", [[1, 2], [3, 4]], [0.5, 0.5], groups=2),
        ],
        ("y",),
    )
    assert flows(graph)["y"] == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("seed", range(20))
def test_flows_into_a_tensor_add_up_to_what_runs_through_it(seed: int) -> None:
    graph = Sampler(seed).graph()
    ends = choose_ends(graph)
    reached = forward(graph, "flow", ends.sources)
    marginals = channel_marginals(graph, reached, ends)
    found = link_flows(graph, reached, marginals)
    for name in graph.order:
        if name not in graph.sources:
            assert sum(found[name]) == pytest.approx(marginals[name].sum(), abs=1e-12)


def test_flows_survive_shares_below_every_float() -> None:
    names = [f"t{place}" for place in range(400)]
    links = [carry(a, b, [0], [1e-3]) for a, b in pairwise(names)]
    links[-1:] = [carry("t398", "t399", [0], [1e-3]), carry("t397", "t399", [0], [1e-3])]
    graph = graph_of(dict.fromkeys(names, 1), links, ("t399",))
    found = flows(graph)["t399"]
    assert np.sum(found) == pytest.approx(1)
    assert found[0] == pytest.approx(1 / 1001)
