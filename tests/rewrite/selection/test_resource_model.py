"""What is counted without rewriting a model is what the rewritten model takes."""

from __future__ import annotations

import numpy as np
import pytest
from model_zoo.prunable_images import BLOCKS, Block, image_net

from nnea_graph import analyze
from nnea_graph.api.analyze import load
from nnea_graph.engine import run_passes
from nnea_graph.passes.constants import ConstantsPass
from nnea_graph.passes.cost import CostPass
from nnea_graph.passes.shape_inference import ShapeInferencePass
from nnea_graph.rewrite.coupling.groups import couplings
from nnea_graph.rewrite.selection.resource_model import resources_of
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_counts_are_those_of_the_pruned_model(block: Block) -> None:
    model, _ = image_net(3, (block, block))
    graph = load(model)
    run_passes(graph, [ShapeInferencePass(), ConstantsPass(), CostPass()])
    coupling = couplings(graph)
    found, random = resources_of(graph, coupling), np.random.default_rng(0)
    kept: dict[str, int] = {}
    gone: list[int] = []
    for family in coupling.families:
        kept[family.name] = int(random.integers(1, len(family.groups) + 1))
        gone += list(family.groups[kept[family.name] :])
    totals = analyze(pruned(graph, kept_slots(coupling, gone)), passes="cost").totals
    assert round(found.at("macs", kept)) == totals.macs
    assert round(found.at("params", kept)) == totals.parameters
