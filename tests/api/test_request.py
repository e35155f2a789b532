"""One request, opened alike for every caller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.support.models import model, op, typed

from nnea_graph import NNEfficiencyAnalyzer, analyze, prune
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.commands.request import analysis_request
from nnea_graph.errors import UsageError
from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.frontends.shared.interface import InputSpec
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.passes.shape_inference import DIMS
from nnea_graph.render.json import render_json

ROOT = Path(__file__).parents[2]
MLP = ROOT / "models" / "digits_mlp.onnx"
TWO = model(
    [op("Add", ["a", "b"], ["y"])],
    [typed("a", "batch", 4), typed("b", "batch", 4)],
    [typed("y", "batch", 4)],
)
NOT_GIVEN = {"data": None, "dims": (), "shapes": (), "limits": (), "no_run": False}


def test_the_command_line_asks_as_python_does() -> None:
    said = analysis_request("m.onnx", NOT_GIVEN | {"dims": ("batch=3",), "shapes": ("x:3x4",), "seed": 7})
    assert said == AnalysisRequest(
        source="m.onnx", dims={"batch": 3}, input_shapes={"x": InputSpec((3, 4))}, seed=7
    )


def test_the_analyzer_reports_what_analyze_does() -> None:
    found = NNEfficiencyAnalyzer(MLP).analyze(verbose=False, batch_size=8)
    assert render_json(found) == render_json(analyze(MLP, dims={"batch": 1}))


def test_dims_given_win_over_the_batch() -> None:
    data = {name: np.ones((5, 4), np.float32) for name in "ab"}
    request = AnalysisRequest(source=TWO, data=data)
    batch = replace(request, batch=6)
    assert "batch" not in request.open().context.dims
    assert batch.open().context.dims == {"batch": 6}
    assert replace(batch, dims={"batch": 7}).open().context.dims == {"batch": 7}


def test_an_input_shape_fixes_the_input_that_it_names() -> None:
    opened = AnalysisRequest(source=TWO, input_shapes={"a": (3, 4)}, passes="shape_inference").open()
    opened.run()
    assert opened.graph[DIMS].inputs["a"].static == (3, 4)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"": (3, 4)}, "an input shape without a name: the model has 2 inputs"),
        ({"a": InputSpec((3, 4), "int64")}, "--input-shape: input 'a' is float32, not int64"),
    ],
)
def test_a_shape_that_fits_no_input_is_refused(shapes: dict[str, InputSpec], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        AnalysisRequest(source=TWO, input_shapes=shapes).open()


def test_a_preprocessing_without_data_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no --data"):
        AnalysisRequest(source=MLP, preprocess="mnist")


def test_time_runs_from_the_opening_on() -> None:
    context = AnalysisRequest(source=MLP, seconds=5.0).open().context
    assert 4 < context.seconds(60) <= 5


@pytest.mark.parametrize(
    ("options", "least"), [({"target": "params=0.6"}, 4), ({"target": "exact"}, 2)], ids=["chosen", "exact"]
)
def test_limits_reach_every_model_that_a_pruning_makes(
    options: dict[str, Any], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, met = Limits(nodes=1000), []
    opened = OnnxFile.__init__

    def watched(self: OnnxFile, *arguments: Any) -> None:
        opened(self, *arguments)
        met.append(self.limits)

    monkeypatch.setattr(OnnxFile, "__init__", watched)
    data = {"x": np.load(ROOT / "models" / "digits.npz")["x"][:64]}
    prune(MLP, data, limits=limits, rounds=2, align=1, **options)
    assert len(met) >= least
    assert set(met) == {limits}
