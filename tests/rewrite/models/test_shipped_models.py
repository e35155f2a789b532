"""Half of every family goes at random from networks that others have made: the rest is valid and runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from model_zoo.shared import CORPUS
from oracles.prunable_facts import coupled, some
from oracles.prunable_oracle import distance, feeds_of, masked, run

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned

ROOT = Path(__file__).parents[3]
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
SIZES = {"p2o.DynamicDimension.1": 64, "p2o.DynamicDimension.2": 64, "?": 48}


@pytest.mark.parametrize(
    ("path", "families"),
    [
        pytest.param(ROOT / "models" / "digits_mlp.onnx", 2, id="digits_mlp"),
        pytest.param(ROOT / "models" / "digits_cnn.onnx", 3, id="digits_cnn"),
        pytest.param(ROOT / "models" / "digits_transformer.onnx", 4, id="digits_transformer"),
        pytest.param(CORPUS / "magika.onnx", 2, id="magika"),
        pytest.param(CORPUS / "ppocr-det.onnx", 36, id="ppocr-det"),
        pytest.param(LIGHT / "light_resnet50.onnx", 37, id="resnet50"),
        pytest.param(LIGHT / "light_densenet121.onnx", 120, id="densenet121"),
        pytest.param(LIGHT / "light_squeezenet.onnx", 25, id="squeezenet"),
    ],
)
def test_half_of_every_family_can_go(path: Path, families: int) -> None:
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    graph, coupling = coupled(path)
    assert len(coupling.families) == families
    small = pruned(graph, kept_slots(coupling, some(coupling, 0.5)))
    onnx.checker.check_model(small, full_check=True)
    source = onnx.load(path)
    assert [value.name for value in small.graph.output] == [value.name for value in source.graph.output]
    feeds = feeds_of(small, 0, SIZES)  # two samples where the first dim is a symbol: not what was inferred at
    for got, wanted in zip(run(small, feeds, optimized=True), run(small, feeds), strict=True):
        # a sigmoid's 0 is a rounded difference of numbers near 1
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max() + 1e-6)


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_transformer"])
def test_the_rest_computes_what_the_whole_does_with_these_channels_zero(name: str) -> None:
    path = ROOT / "models" / f"{name}.onnx"
    graph, coupling = coupled(path)
    kept = kept_slots(coupling, some(coupling, 0.5))
    source = onnx.load(path)
    feeds = feeds_of(source, 0, {"batch": 1})
    expected = run(masked(source, kept, graph[SHAPES].types), feeds)[0]
    assert distance(run(pruned(graph, kept), feeds)[0], expected) < 1e-5
