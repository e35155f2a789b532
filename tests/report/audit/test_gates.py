from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nnea_graph import analyze
from nnea_graph.errors import UsageError
from nnea_graph.report.audit.baseline import baseline_for
from nnea_graph.report.audit.check import Check, ModelAudit
from nnea_graph.report.audit.gates import Subject, audit, with_gates
from nnea_graph.report.audit.metrics import METRICS, flat, measured
from nnea_graph.report.audit.policy import Policy
from nnea_graph.report.audit.policy_file import load_policy
from nnea_graph.report.schema.analysis import Coverage, Finding, Report

MODELS = Path(__file__).parents[3] / "models"
TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def report() -> Report:
    return analyze(MODELS / "digits_cnn.onnx")


def run(report: Report, text: str, tmp_path: Path, **more: Any) -> ModelAudit:
    file = tmp_path / "policy.toml"
    file.write_text(f"version = 1\n{text}\n", encoding="utf-8")
    return audit(Subject(report, "models/digits_cnn.onnx", **more), load_policy(file), TODAY)


def checks(found: ModelAudit, name: str) -> list[Check]:
    return [each for each in found.checks if each.name == name]


def with_totals(report: Report, **totals: Any) -> Report:
    return replace(report, totals=replace(report.totals, **totals))


@pytest.mark.parametrize(
    ("text", "code", "outcome"),
    [
        ('macs = "<= 2M"', 0, "pass"),
        ('macs = "<= 1269504"', 0, "pass"),
        ('macs = "< 1269504"', 1, "fail"),
        ('macs = "<= 1M"', 1, "fail"),
    ],
)
def test_a_budget_is_held_to_the_digit(
    text: str, code: int, outcome: str, report: Report, tmp_path: Path
) -> None:
    found = run(report, f"[budget]\n{text}", tmp_path)
    assert found.exit_code == code
    assert [each.outcome for each in checks(found, "budget.macs")] == [outcome]


def test_what_is_not_known_is_never_a_pass(report: Report, tmp_path: Path) -> None:
    unknown = with_totals(report, macs=None)
    assert run(unknown, '[budget]\nmacs = "<= 2M"', tmp_path).exit_code == 2
    lenient = run(unknown, '[budget]\nmacs = "<= 2M"\n[gate]\nunknown = "warning"', tmp_path)
    assert lenient.exit_code == 0
    assert checks(lenient, "budget.macs")[0].outcome == "unknown"


def test_a_lower_bound_decides_only_over_a_ceiling(report: Report, tmp_path: Path) -> None:
    partial = with_totals(report, coverage=Coverage(15, 0, 0, 1, {"com.example.Op": 1}))
    assert run(partial, '[budget]\nmacs = "<= 1M"', tmp_path).exit_code == 1
    assert run(partial, '[budget]\nmacs = "<= 2M"', tmp_path).exit_code == 2
    assert run(partial, '[budget]\nmacs = ">= 2M"', tmp_path).exit_code == 2
    assert run(partial, "[budget]\nunknown_cost_operators = 0", tmp_path).exit_code == 1


def test_a_pass_that_did_not_run_leaves_its_metric_unknown(tmp_path: Path) -> None:
    costs = analyze(MODELS / "digits_cnn.onnx", passes="cost")
    found = run(costs, '[budget]\npeak_activations = "<= 1GiB"', tmp_path)
    assert found.exit_code == 2
    assert "pass memory did not run" in checks(found, "budget.peak_activations")[0].message


def test_every_metric_of_a_whole_report_is_known(report: Report) -> None:
    assert {name for name, metric in METRICS.items() if measured(metric, report).value is None} == set()
    assert set(flat(report)) == set(METRICS)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ('[operators]\nforbid = ["ai.onnx:Gemm"]', "operators.forbid"),
        ('[operators]\nallow = ["ai.onnx:Conv"]', "operators.allow"),
        ('[operators]\nopset = ">= 99"', "budget.opset"),
        ("[shapes]\ndynamic = []", "shapes.dynamic"),
        ('[shapes]\nmust_stay_dynamic = ["sequence"]', "shapes.must_stay_dynamic"),
        ('[shapes]\nrank = "<= 3"', "shapes.rank"),
        ('[metadata]\nrequired = ["author"]', "metadata.required"),
        ('[metadata]\nlicense = ["MIT"]', "metadata.license"),
        ('[weights]\ndtypes = ["int8"]', "weights.dtypes"),
        ('[files]\nsha256 = ["00"]', "files.sha256"),
    ],
)
def test_what_a_model_is_can_fail(text: str, broken: str, report: Report, tmp_path: Path) -> None:
    found = run(report, text, tmp_path)
    assert found.exit_code == 1
    failed = {each.name for each in found.failures() if each.rule.startswith("NNEA90")}
    assert failed == {broken}


@pytest.mark.parametrize(
    "text",
    [
        '[operators]\nforbid = ["ai.onnx:Loop"]\nallow = ["ai.onnx:*"]\nopset = ">= 17"',
        '[shapes]\ndynamic = ["batch"]\nmust_stay_dynamic = ["batch"]\nrank = "<= 4"',
        '[metadata]\nrequired = ["producer"]',
        '[weights]\nfinite = true\ndtypes = ["float32"]\nexternal_data = "none"',
    ],
)
def test_what_a_model_is_can_pass(text: str, report: Report, tmp_path: Path) -> None:
    found = run(report, text, tmp_path)
    assert found.exit_code == 0
    assert [each for each in found.checks if each.outcome == "pass"]


def test_metadata_of_the_file_is_read(report: Report, tmp_path: Path) -> None:
    model = replace(report.model, metadata={"author": "me", "license": "MIT"})
    found = run(
        replace(report, model=model), '[metadata]\nrequired = ["author"]\nlicense = ["MIT"]', tmp_path
    )
    assert found.exit_code == 0


def test_severities_are_the_policys_and_the_longest_prefix_wins(report: Report, tmp_path: Path) -> None:
    loud = run(report, '[rules]\nNNEA2 = "error"', tmp_path)
    assert loud.exit_code == 1
    quiet = run(report, '[rules]\nNNEA2 = "error"\nNNEA201 = "off"', tmp_path)
    assert quiet.exit_code == 0
    assert checks(quiet, "NNEA201") == []


def test_an_ignore_holds_until_its_day_and_then_says_that_it_ran_out(report: Report, tmp_path: Path) -> None:
    rules = '[rules]\nNNEA201 = "error"\n[[ignore]]\nrule = "NNEA201"\nreason = "known"\nexpires = '
    held = run(report, f"{rules}2026-11-24", tmp_path)
    assert held.exit_code == 0
    assert {each.outcome for each in checks(held, "NNEA201")} == {"ignored"}
    over = run(report, f"{rules}2026-11-23", tmp_path)
    assert over.exit_code == 1
    assert "expired on 2026-11-23" in checks(over, "ignore.NNEA201")[0].message


def test_an_ignore_of_other_nodes_or_models_does_not_hold(report: Report, tmp_path: Path) -> None:
    rules = '[rules]\nNNEA201 = "error"\n[[ignore]]\nrule = "NNEA201"\nreason = "known"\n'
    assert run(report, f'{rules}nodes = ["other*"]', tmp_path).exit_code == 1
    assert run(report, f'{rules}models = ["vendor/**"]', tmp_path).exit_code == 1
    assert run(report, f'{rules}models = ["models/**"]', tmp_path).exit_code == 0


def test_growth_over_the_baseline_fails(report: Report, tmp_path: Path) -> None:
    before = with_totals(report, macs=1_000_000)
    text = '[baseline]\nmacs = "<= 1.05x"\nparameters = "<= +2%"'
    found = run(report, text, tmp_path, baseline=baseline_for(report, before, "old.json"))
    assert found.exit_code == 1
    assert "baseline: 1.00 M (1,000,000)" in checks(found, "baseline.macs")[0].message
    assert checks(found, "baseline.parameters")[0].outcome == "pass"


def test_old_findings_do_not_fail_where_only_new_ones_count(report: Report, tmp_path: Path) -> None:
    text = '[rules]\nNNEA201 = "error"\nNNEA300 = "error"\n[gate]\nnew_only = true'
    baseline = baseline_for(report, report, "old.json")
    assert run(report, text, tmp_path, baseline=baseline).exit_code == 0
    new = Finding("NNEA300", "error", "stem", "new", "why", "do", None, None)
    worse = replace(report, findings=[*report.findings, new])
    assert run(worse, text, tmp_path, baseline=baseline).exit_code == 1
    assert baseline_for(report, worse, "old.json").gone(report) == ["new"]


def test_a_baseline_of_other_dims_is_refused(report: Report) -> None:
    with pytest.raises(UsageError, match="other dims"):
        baseline_for(report, replace(report, dims={"batch": 2}), "old.json")


@pytest.mark.parametrize(
    ("gate", "code"), [("macs>1M", 1), ("macs>600M", 0), ("macs<2M", 1), ("macs >= 1269504", 1), ("note", 1)]
)
def test_a_gate_of_the_command_line(gate: str, code: int, report: Report) -> None:
    assert audit(Subject(report, "m.onnx"), with_gates(Policy(), [gate]), TODAY).exit_code == code


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("macz>1M", "did you mean 'macs'"),
        ("macs", "write METRIC>LIMIT"),
        ("macs>1MiB", "takes K"),
        ("macs==1", "by <"),
    ],
)
def test_a_gate_that_is_misspelt_is_an_error(gate: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_gates(Policy(), [gate])


def test_the_command_line_never_loosens_the_policy(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('version = 1\n[budget]\nmacs = "<= 1M"\n[gate]\nfail_on = "note"\n', encoding="utf-8")
    policy = with_gates(load_policy(file), ["macs>600M", "error"])
    found = audit(Subject(report, "m.onnx"), policy, TODAY)
    assert policy.get("gate.fail_on") == "note"
    assert sorted(each.outcome for each in checks(found, "budget.macs")) == ["fail", "pass"]


def test_a_fingerprint_is_of_the_place_and_not_of_the_numbers() -> None:
    one = Check("NNEA901", "budget.macs", "fail", "error", "macs is 5", value=5)
    other = replace(one, message="macs is 6", value=6)
    assert one.fingerprint("m.onnx") == other.fingerprint("m.onnx")
    assert one.fingerprint("m.onnx") != one.fingerprint("n.onnx")
