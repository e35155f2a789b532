"""``nnea-graph operators`` prints what ``nnea_graph.api.operators`` finds; ``run -v`` says what a model lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hostile.support.models import model, op, typed

from nnea_graph.api.operators import KINDS, operators, support_of
from nnea_graph.commands.cli import run_command_line

MODELS = Path(__file__).parents[2] / "models"


def test_json_has_every_operator_with_its_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["operators", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kinds"] == dict(KINDS)
    assert [(each["domain"], each["name"], each["rules"]) for each in found["operators"]] == [
        (each.domain, each.name, each.rules) for each in operators()
    ]


def test_the_table_has_a_line_for_each_operator_and_fits_105_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["operators"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.startswith("  ") and "operators" not in line]
    assert [row[0] for row in rows] == [each.name for each in operators()]
    assert rows[[row[0] for row in rows].index("Conv")] == [
        "Conv", *(word or "-" for word in support_of("Conv", "").rules.values())
    ]  # fmt: skip
    assert max(map(len, lines)) <= 105


@pytest.mark.parametrize("name", ["QLinearConv", "qlinearconv"])
def test_a_name_shows_the_operators_of_all_domains(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["operators", name]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "::" in line] == [
        "ai.onnx::QLinearConv",
        "com.microsoft::QLinearConv",
    ]


def test_a_domain_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["operators", "com.microsoft::QLinearConv", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["operators"]
    assert (found["domain"], found["rules"]["packed"]) == ("com.microsoft", "rule")


def test_an_operator_that_nobody_knows_is_one_line_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["operators", "Connv"]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'Conv'?" in said
    assert said.count("\n") == 1


def test_run_verbose_says_what_the_model_has_no_rules_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = model([op("Strange", ["x"], ["y"], domain="elsewhere")], [typed("x", 1, 4)], domains=["elsewhere"])
    (tmp_path / "odd.onnx").write_bytes(made.SerializeToString())
    wanted = {tmp_path / "odd.onnx": "rules: none for cost: elsewhere::Strange; shape: elsewhere::Strange;"}
    wanted[MODELS / "digits_cnn.onnx"] = (
        "rules: every operator has one for cost, shape, channels and coupling"
    )
    for path, said in wanted.items():
        run_command_line(["run", str(path), "-v", "--no-run", "-p", "cost", "--no-progress"])
        assert said in capsys.readouterr().err
