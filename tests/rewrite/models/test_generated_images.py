"""Groups of generated convolutional networks are those of their builder; pruning them changes nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from model_zoo.prunable_images import BLOCKS, Block, image_net
from oracles.prunable_facts import GENERATED, coupled, differing, some
from oracles.prunable_oracle import distance, feeds_of, masked, run, without

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


def test_two_hundred_networks_are_drawn_here_and_beside() -> None:
    assert sum(GENERATED.values()) >= 200


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_channels_of_a_block_are_grouped_as_its_builder_says(block: Block) -> None:
    model, net = image_net(7, (block, block))
    assert not differing(coupled(model)[1], net)


@pytest.mark.parametrize("seed", range(GENERATED["images"]))
def test_pruning_at_random_equals_the_original_with_these_channels_zero(seed: int) -> None:
    model, net = image_net(seed)
    graph, coupling = coupled(model)
    assert not differing(coupling, net)
    kept = kept_slots(coupling, some(coupling, 0.5, seed))
    assert kept
    small = pruned(graph, kept)
    onnx.checker.check_model(small, full_check=True)
    feeds = feeds_of(model, seed)
    got, expected, whole = (
        run(each, feeds)[0] for each in (small, masked(model, kept, graph[SHAPES].types), model)
    )
    assert distance(got, expected) < 1e-5
    assert distance(got, whole) > 1e-3
    assert np.isfinite(got).all()
    if net.keeps_zeros:
        assert distance(got, run(without(model, kept), feeds)[0]) < 1e-5
