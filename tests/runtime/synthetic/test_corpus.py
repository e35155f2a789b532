"""Made-up samples run in onnxruntime, on models that real projects ship and on ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from model_zoo.shared import CORPUS
from oracles.observing import quiet_options

from nnea_graph.api.analyze import load
from nnea_graph.engine import RunContext
from nnea_graph.passes.shape_inference import DIMS, SHAPES, ShapeInferencePass
from nnea_graph.runtime.synthetic.samples import SyntheticData, synthetic_data

ROOT = Path(__file__).parents[3]
OWN = sorted((ROOT / "models").glob("*.onnx"))
REAL = sorted(CORPUS.glob("*.onnx"))


def made(path: Path, dims: dict[str, int]) -> SyntheticData:
    graph = load(path)
    ShapeInferencePass().run(graph, RunContext(dims=dims))
    return synthetic_data(graph, graph[DIMS].inputs, samples=3, types=graph[SHAPES].types)


def run(path: Path, data: SyntheticData, size: int) -> list[list[Any]]:
    session = onnxruntime.InferenceSession(path, quiet_options())
    return [session.run(None, batch.feeds) for batch in data.batches(size)]


@pytest.mark.parametrize("path", [*OWN, *REAL], ids=lambda path: path.stem)
def test_a_model_runs_on_made_up_samples_at_the_dims_of_the_report(path: Path) -> None:
    data = made(path, {})
    singly, together = run(path, data, 1), run(path, data, 3)
    assert len(singly) == 3
    for outputs in (*singly, *together):
        assert all(np.isfinite(output).all() for output in outputs)
    for place, first in enumerate(singly[0]):
        if first.dtype.kind == "f" and first.shape[:1] == (1,) and len(together) == 1:
            joined = np.concatenate([outputs[place] for outputs in singly])
            np.testing.assert_allclose(together[0][place], joined, rtol=1e-3, atol=1e-3)


OTHER_DIMS = [
    ("minilm-int8", {"sequence": 100}),
    ("ppocr-det", {"p2o.DynamicDimension.1": 96, "p2o.DynamicDimension.2": 160}),
    ("ppocr-cls", {"x.2": 48, "x.3": 192}),
    ("romanizer-encoder", {"src_len": 3}),
    ("romanizer-decoder", {"src_len": 7, "tgt_len": 1}),
    ("silero-vad", {"input.1": 512, "state.1": 1}),
    ("silero-vad-sequence", {"sequence_length": 5}),
]


@pytest.mark.parametrize(("name", "dims"), OTHER_DIMS, ids=[name for name, _ in OTHER_DIMS])
def test_a_model_runs_on_made_up_samples_at_other_dims(name: str, dims: dict[str, int]) -> None:
    path = CORPUS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"no corpus in {CORPUS}: set NNEA_SHARED")
    for outputs in run(path, made(path, dims), 3):
        assert all(np.isfinite(output).all() for output in outputs)


@pytest.mark.skipif(not REAL, reason=f"no corpus in {CORPUS}: set NNEA_SHARED")
def test_the_mask_of_a_real_encoder_masks_nothing() -> None:
    """Its True means padding: with ones its state would not depend on the text."""
    path = CORPUS / "romanizer-encoder.onnx"
    states = [outputs[2] for outputs in run(path, made(path, {}), 1)]
    assert all(np.abs(state - states[0]).max() > 0.05 for state in states[1:])
