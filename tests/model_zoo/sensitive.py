"""Reports of the digits models with sensitivity measured on their own data."""

from __future__ import annotations

from typing import Any

import numpy as np
from oracles.observing import ROOT

from nnea_graph.api.analyze import analyze
from nnea_graph.report import Report
from nnea_graph.report.schema.sensitivity import SensitivityPoint

MODELS = ROOT / "models"
DATA = dict(np.load(MODELS / "digits.npz"))


def report_of(name: str, text: str = "sensitivity", samples: int = 450, **options: Any) -> Report:
    data = {key: values[:samples] for key, values in DATA.items()}
    return analyze(
        MODELS / f"{name}.onnx", passes=f"{text},+importance,+weight_statistics", data=data, **options
    )


def points_of(report: Report, layer: str = "") -> list[SensitivityPoint]:
    found = report.sensitivity if not layer else next(x for x in report.layers if x.id == layer).sensitivity
    assert found is not None
    return list(found.points)
