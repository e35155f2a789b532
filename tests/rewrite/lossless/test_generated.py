"""Generated networks with redundant channels planted in them: much goes, and nothing changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from model_zoo.prunable_images import image_net
from model_zoo.prunable_token_nets import token_net
from model_zoo.redundant import planted
from onnx import ModelProto
from oracles.annotated import annotated
from oracles.prunable_oracle import distance, feeds_of, run

from nnea_graph.rewrite.lossless.fixpoint import Reduced, reduced
from nnea_graph.rewrite.lossless.selection import KINDS


def made_smaller(model: ModelProto, dims: Mapping[str, int]) -> Reduced:
    return reduced(annotated(model, "cost", dims=dims), (), lambda _: None)


def proved(model: ModelProto, seed: int, sizes: Mapping[str, int]) -> tuple[int, float]:
    """How many groups went, and how far the outputs are from what they were."""
    found = made_smaller(model, sizes)
    onnx.checker.check_model(found.model, full_check=True)
    feeds = feeds_of(model, seed, sizes)
    got, wanted = run(found.model, feeds)[0], run(model, feeds)[0]
    assert np.isfinite(wanted).all()
    again = made_smaller(found.model, sizes)
    assert again.rounds == 0
    went = sum(getattr(family, kind) for family in found.families.values() for kind in KINDS)
    return went, distance(got, wanted)


def check(found: Sequence[tuple[int, float]], least: int) -> None:
    """Some of the networks (those with an InstanceNormalization) make much of the rounding of a sum."""
    went, distances = zip(*found, strict=True)
    assert sum(went) > least
    assert sum(each <= 1e-6 for each in distances) >= 0.9 * len(distances)
    assert max(distances) <= 2e-5


@pytest.mark.parametrize("block", range(5))
def test_nothing_changes_in_networks_of_images(block: int) -> None:
    seeds = range(10 * block, 10 * block + 10)
    check([proved(planted(image_net(seed)[0], seed), seed, {}) for seed in seeds], least=20)


@pytest.mark.parametrize("block", range(2))
def test_nothing_changes_in_networks_of_tokens(block: int) -> None:
    nets = {seed: token_net(seed) for seed in range(10 * block, 10 * block + 10)}
    found = [
        proved(planted(model, seed, dims=net.sizes()), seed, net.sizes())
        for seed, (model, net) in nets.items()
    ]
    check(found, least=5)


def test_a_network_without_any_is_left_as_it_is() -> None:
    for seed in range(3):
        found = made_smaller(image_net(seed)[0], {})
        assert (found.rounds, dict(found.kept)) == (0, {})
