"""Half of every family goes at random from networks that others have made: the rest is valid and runs."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from reference.prunable_facts import coupled, some
from reference.prunable_oracle import feeds_of, run

from nnea_graph.rewrite.surgery import kept_slots, pruned

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
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
        pytest.param(LIGHT / "light_squeezenet.onnx", 23, id="squeezenet"),
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
    assert run(small, feeds_of(small, 0, SIZES))
