"""Couplings of a model, and whether they are those that its builder knows of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from model_zoo.prunable import PrunableNet
from onnx import ModelProto

from nnea_graph.api.analyze import load
from nnea_graph.engine import RunContext, run_passes
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.shape_inference import ShapeInferencePass
from nnea_graph.rewrite.coupling.groups import Coupling, couplings

GENERATED = {"images": 140, "tokens": 60, "keras": 12}
"""How many networks are drawn, pruned at random, and compared with themselves where these channels are zero."""


def coupled(model: ModelProto | Path, **dims: int) -> tuple[ModelGraph, Coupling]:
    graph = load(model)
    results = run_passes(graph, [ShapeInferencePass()], RunContext(dims=dims))
    assert all(result.status == "ok" for result in results), results
    return graph, couplings(graph)


def some(coupling: Coupling, share: float, seed: int = 0) -> list[int]:
    """Groups drawn at random, a share of every family, so that one is left."""
    random, drawn = np.random.default_rng(seed), []
    for family in coupling.families:
        count = min(round(share * len(family.groups)), len(family.groups) - 1)
        drawn += random.permutation(family.groups)[:count].tolist()
    return drawn


def differing(coupling: Coupling, net: PrunableNet) -> list[str]:
    """Tensors whose channels are grouped in another way than the builder says."""
    names: dict[int, int] = {}
    groups: dict[int, int] = {}
    wrong = []
    for flow, classes in net.channels.expected():
        slots = coupling.slots.of((flow.name, flow.axis))
        found = [-1] * flow.width if slots is None else coupling.groups[slots].tolist()
        pairs = zip(classes, found, strict=True)
        same = all(
            (mine == -1) == (other == -1)
            and names.setdefault(mine, other) == other
            and groups.setdefault(other, mine) == mine
            for mine, other in pairs
        )
        if not same:
            wrong.append(f"{flow.name}: expected {classes}, found {found}")
    return wrong
