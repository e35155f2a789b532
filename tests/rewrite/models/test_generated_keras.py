"""Networks that tf2onnx exports from Keras, channels last: pruning them changes nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from model_zoo.prunable_keras import keras_net
from oracles.prunable_facts import GENERATED, coupled, some
from oracles.prunable_oracle import distance, feeds_of, masked, run

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


@pytest.mark.parametrize("seed", range(GENERATED["keras"]))
def test_pruning_at_random_equals_the_original_with_these_channels_zero(seed: int) -> None:
    model = keras_net(seed)
    graph, coupling = coupled(model, batch=2)
    whole = {pin.reason for pin in coupling.pinned}
    assert whole <= {"output of the model", "ReduceMean: taken over the channels, whose number counts"}
    kept = kept_slots(coupling, some(coupling, 0.5, seed))
    small = pruned(graph, kept)
    onnx.checker.check_model(small, full_check=True)
    (batch,) = (dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim[:1])
    for samples in (2, 3):
        feeds = feeds_of(model, seed, {batch: samples})
        got, expected, original = (
            run(each, feeds)[0] for each in (small, masked(model, kept, graph[SHAPES].types), model)
        )
        assert distance(got, expected) < 1e-5
        assert distance(got, original) > 1e-3
        assert np.isfinite(got).all()
