"""The channel graph of real models: every layer lies on it, and it is quick to build."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx.backend.test
import pytest
from model_zoo.shared import CORPUS
from model_zoo.transformers import bert_base, vit
from model_zoo.vision import resnet50
from oracles.channel_pass import prepared

from nnea_graph.channels.build.build import build_channels
from nnea_graph.channels.build.coverage import coverage
from nnea_graph.channels.graph import Carry, ChannelGraph
from nnea_graph.engine import run_passes
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.channels import CHANNELS, ChannelsPass, sight_of
from nnea_graph.passes.constants import ConstantsPass
from nnea_graph.passes.shape_inference import SHAPES, ShapeInferencePass
from nnea_graph.static.cost_counting import count_work

MODELS = Path(__file__).parents[2] / "models"
LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"

FILES = sorted([*CORPUS.glob("*.onnx"), *MODELS.glob("*.onnx"), *LIGHT.glob("*.onnx")])


def macs_of(graph: ModelGraph) -> dict[str, int]:
    return {node: work.count("macs") or 0 for node, work in count_work(graph, graph[SHAPES]).items()}


def check(channels: ChannelGraph) -> None:
    """What whoever searches the graph takes for granted."""
    place = {name: index for index, name in enumerate(channels.order)}
    for target, links in channels.into.items():
        count = channels.tensors[target].count
        total, there = np.zeros(count), np.zeros(count, bool)
        for link in links:
            assert place[link.source] < place[target]
            here = np.ones(count, bool)
            if isinstance(link.edges, Carry):
                here = link.edges.places >= 0
                assert link.edges.places.shape == (count,)
                assert link.edges.places.max() < channels.tensors[link.source].count
            total += np.where(here, 1.0 if link.gain is None else link.gain, 0.0)
            there |= here
        np.testing.assert_allclose(total, there, atol=1e-12)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_layer_of_a_shipped_model_lies_on_the_graph(file: Path) -> None:
    graph = prepared(file)
    channels = build_channels(sight_of(graph))
    check(channels)
    found = coverage(channels, macs_of(graph))
    assert channels.uncovered == {}
    assert found.covered_layers == found.layers > 0
    assert found.mac_share == 1.0
    assert set(graph.outputs) - set(channels.sinks) <= {"src_mask_out"}
    assert {end.reason for end in channels.ends} <= {"query-key"}


@pytest.mark.parametrize(
    ("build", "layers"),
    [
        pytest.param(resnet50, 107, id="resnet50"),
        pytest.param(lambda: vit(32, 64, 3, 4), None, id="vit"),
        pytest.param(bert_base, None, id="bert"),
    ],
)
def test_reference_networks_are_covered(build: object, layers: int | None) -> None:
    assert callable(build)
    channels = build_channels(sight_of(prepared(build())))
    check(channels)
    assert channels.uncovered == {}
    assert layers in {None, len(channels.covered)}


def test_a_resnet50_takes_less_than_a_second() -> None:
    graph = prepared(resnet50())
    start = time.perf_counter()
    build_channels(sight_of(graph))
    assert time.perf_counter() - start < 1


def test_strengths_of_a_layer_have_the_shape_of_its_groups() -> None:
    channels = build_channels(sight_of(prepared(LIGHT / "light_shufflenet.onnx")))
    dense = [link for links in channels.into.values() for link in links if not isinstance(link.edges, Carry)]
    for link in dense:
        assert not isinstance(link.edges, Carry)
        groups = link.edges.groups
        sizes = (channels.tensors[name].count // groups for name in (link.target, link.source))
        assert link.edges.strength().shape == (groups, *sizes)
    assert {link.edges.groups for link in dense if not isinstance(link.edges, Carry)} > {1, 4}


def test_the_pass_writes_the_graph_as_a_fact() -> None:
    graph = prepared(MODELS / "digits_cnn.onnx")
    results = run_passes(graph, [ShapeInferencePass(), ConstantsPass(), ChannelsPass()])
    assert [(result.name, result.status) for result in results][-1] == ("channels", "ok")
    assert graph[CHANNELS].sinks == ("logits",)
    assert len(graph[CHANNELS].covered) == 8
