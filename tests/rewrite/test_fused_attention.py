"""Attention as one operator loses heads, or the same numbers of each, and gives what it gave with these zero."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from reference.prunable_facts import coupled, differing, some
from reference.prunable_fused import FUSED, unpacked
from reference.prunable_oracle import distance, feeds_of, masked, run, without
from reference.prunable_token_nets import Block, token_net

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery import kept_slots, pruned


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("block", FUSED, ids=lambda block: block.__name__)
def test_pruning_at_random_equals_the_original_with_these_channels_zero(block: Block, seed: int) -> None:
    model, net = token_net(seed, (block,))
    graph, coupling = coupled(model, **net.sizes())
    assert not differing(coupling, net)
    kept = kept_slots(coupling, some(coupling, 0.5, seed))
    small = pruned(graph, kept)
    onnx.checker.check_model(small, full_check=True)
    model, small = unpacked(model), unpacked(small)
    feeds = feeds_of(model, seed, net.sizes())
    got, whole = (run(each, feeds)[0] for each in (small, model))
    # Biases are zero as well: some are added inside of an operator.
    expected = run(masked(without(model, kept), kept, graph[SHAPES].types), feeds)[0]
    assert distance(got, expected) < 1e-5
    assert distance(got, whole) > 1e-3
    assert np.isfinite(got).all()
    if net.keeps_zeros:
        for more in (0, 2):
            other = feeds_of(model, seed, net.sizes(more))
            assert distance(run(small, other)[0], run(without(model, kept), other)[0]) < 1e-5
