from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nnea_graph import NNEfficiencyAnalyzer, analyze
from nnea_graph.engine import Column, FactRow, FactSection
from nnea_graph.errors import DataError
from nnea_graph.render.json import render_json
from nnea_graph.report.schema.load import load_report, report_of

MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_a_report_that_was_written_and_read_is_written_the_same(model: Path, tmp_path: Path) -> None:
    written = render_json(analyze(model))
    file = tmp_path / "report.json"
    file.write_text(written, encoding="utf-8")
    assert render_json(load_report(file)) == written


def test_measured_parts_are_read_too(digits: NNEfficiencyAnalyzer) -> None:
    written = render_json(digits.report)
    assert render_json(report_of(json.loads(written))) == written


def test_facts_that_passes_describe_are_read_with_their_types() -> None:
    rows = (FactRow({"a": 1, "b": 0.5, "c": True}), FactRow({"a": None, "d": "x"}, "id", {"a": "why"}))
    section = FactSection("Title", tuple(map(Column, "abcd")), rows)
    report = replace(analyze(MODELS / "digits_mlp.onnx", passes="cost"), extensions={"mine": section})
    found = report_of(json.loads(render_json(report))).extensions["mine"]
    assert [row.values for row in found.rows] == [row.values for row in rows]
    assert type(found.rows[0].values["c"]) is bool
    assert found.rows[1] == rows[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("{", "no valid JSON", id="torn"),
        pytest.param("[" * 100_000, "no valid JSON", id="nested"),
        pytest.param("[]", "no schema_version", id="list"),
        pytest.param('{"schema_version": "0"}', "schema 0", id="other-version"),
    ],
)
def test_what_is_no_report_is_said_in_one_line(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        load_report(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(("model", "operators"), "sixteen", "report.model.operators is str", id="type"),
        pytest.param(("model", "odd"), 1, "report.model.odd is unknown", id="extra"),
        pytest.param(("totals", "macs"), 1.5, "report.totals.macs is float", id="union"),
    ],
)
def test_a_field_that_does_not_fit_is_named(path: tuple[str, str], value: object, said: str) -> None:
    found = json.loads(render_json(analyze(MODELS / "digits_mlp.onnx", passes="cost")))
    found[path[0]][path[1]] = value
    with pytest.raises(DataError, match=said):
        report_of(found)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_report(tmp_path / "none.json")
