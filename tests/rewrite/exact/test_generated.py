"""Generated networks with redundant channels planted in them: much goes, and nothing changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from onnx import ModelProto
from reference.prunable_images import image_net
from reference.prunable_oracle import distance, feeds_of, run
from reference.prunable_token_nets import token_net
from reference.redundant import planted

from nnea_graph.api import load
from nnea_graph.engine import run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.passes import catalogue
from nnea_graph.rewrite.exact.choice import KINDS
from nnea_graph.rewrite.exact.rounds import Reduced, reduced


def made_smaller(model: ModelProto, dims: Mapping[str, int]) -> Reduced:
    graph = load(model)
    options = {"dims": dict(dims), "input_shapes": {}}
    results = run_passes(graph, complete(parse("cost"), catalogue(), options, may_run=False))
    assert all(each.status == "ok" for each in results)
    return reduced(graph, (), lambda _: None)


def proved(model: ModelProto, seed: int, sizes: Mapping[str, int]) -> int:
    """How many groups went."""
    found = made_smaller(model, sizes)
    onnx.checker.check_model(found.model, full_check=True)
    feeds = feeds_of(model, seed, sizes)
    got, wanted = run(found.model, feeds)[0], run(model, feeds)[0]
    assert np.isfinite(wanted).all()
    assert distance(got, wanted) <= 1e-6
    again = made_smaller(found.model, sizes)
    assert again.rounds == 0
    return sum(getattr(family, kind) for family in found.families.values() for kind in KINDS)


@pytest.mark.parametrize("block", range(6))
def test_nothing_changes_in_networks_of_images(block: int) -> None:
    went = 0
    for seed in range(10 * block, 10 * block + 10):
        model, _ = image_net(seed)
        went += proved(planted(model, seed), seed, {})
    assert went > 20


@pytest.mark.parametrize("block", range(2))
def test_nothing_changes_in_networks_of_tokens(block: int) -> None:
    went = 0
    for seed in range(10 * block, 10 * block + 10):
        model, net = token_net(seed)
        went += proved(planted(model, seed, dims=net.sizes()), seed, net.sizes())
    assert went > 5


def test_a_network_without_any_is_left_as_it_is() -> None:
    for seed in range(4):
        found = made_smaller(image_net(seed)[0], {})
        assert (found.rounds, dict(found.kept)) == (0, {})
