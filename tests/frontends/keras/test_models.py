"""Reports of Keras networks: names, parameters and what trains are those of Keras, untrained and trained."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from model_zoo.keras_nets import NETS, exported, trained

from nnea_graph import Report, analyze
from nnea_graph.frontends.resolve import described


@dataclass(frozen=True)
class Case:
    """A network and its report."""

    model: Any
    report: Report


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((net, made), id=f"{net}-{made.__name__}") for net in NETS for made in (exported, trained)
    ],
)
def case(request: pytest.FixtureRequest) -> Case:
    net, made = request.param
    export = made(net)
    proto = described(export.converted()).proto
    return Case(export.model, analyze(proto, passes="cost,weight_statistics"))


def size(weights: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def outermost(path: str) -> str:
    return path.partition("/")[0]


def test_parameters_are_those_of_the_network(case: Case) -> None:
    totals = case.report.totals
    assert (totals.parameters or 0) + (totals.buffers or 0) == case.model.count_params()
    assert totals.trainable_parameters == size(case.model.trainable_weights)
    assert totals.parameters == totals.trainable_parameters


def test_every_layer_of_keras_is_a_module_of_its_class_and_size(case: Case) -> None:
    said = {module.path: module for module in case.report.modules if module.depth == 1}
    for layer in case.model.layers:
        if not layer.weights:
            continue
        module = said[layer.name]
        assert module.class_name == type(layer).__name__
        assert (module.parameters or 0) + (module.buffers or 0) == layer.count_params()
        assert module.trainable_parameters == size(layer.trainable_weights)


def test_layers_of_the_report_have_the_names_and_the_parameters_of_those_of_keras(case: Case) -> None:
    said: Counter[str] = Counter()
    for layer in case.report.layers:
        said[outermost(layer.scope)] += layer.parameters
    folded: Counter[str] = Counter()
    for module in case.report.modules:
        if module.note.startswith("folded into"):
            folded[outermost(module.path)] += module.parameters or 0
    for layer in case.model.layers:
        held = size(layer.trainable_weights)
        assert said[layer.name] == held - folded[layer.name]
    assert set(said) <= {layer.name for layer in case.model.layers}
