"""Groups of generated token networks are those of their builder; pruning them changes nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from model_zoo.prunable_token_nets import BLOCKS, Block, token_net
from oracles.prunable_facts import GENERATED, coupled, differing, some
from oracles.prunable_oracle import distance, feeds_of, masked, run, without

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_channels_of_a_block_are_grouped_as_its_builder_says(block: Block) -> None:
    for seed in range(4):
        model, net = token_net(seed, (block,))
        onnx.checker.check_model(model, full_check=True)
        assert not differing(coupled(model, **net.sizes())[1], net)


@pytest.mark.parametrize("seed", range(GENERATED["tokens"]))
def test_pruning_at_random_equals_the_original_with_these_channels_zero(seed: int) -> None:
    model, net = token_net(seed)
    graph, coupling = coupled(model, **net.sizes())
    assert not differing(coupling, net)
    kept = kept_slots(coupling, some(coupling, 0.5, seed))
    assert kept
    small = pruned(graph, kept)
    onnx.checker.check_model(small, full_check=True)
    feeds = feeds_of(model, seed, net.sizes())
    got, expected, whole = (
        run(each, feeds)[0] for each in (small, masked(model, kept, graph[SHAPES].types), model)
    )
    assert distance(got, expected) < 1e-5
    assert distance(got, whole) > 1e-3
    assert np.isfinite(got).all()
    if net.keeps_zeros:
        for more in (0, 2):
            other = feeds_of(model, seed, net.sizes(more))
            assert distance(run(small, other)[0], run(without(model, kept), other)[0]) < 1e-5
