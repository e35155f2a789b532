from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nnea_graph.errors import UsageError
from nnea_graph.report.audit.keys import json_schema
from nnea_graph.report.audit.limit import BYTES, COUNT, SHARE, Change, Limit, parse_change, parse_limit
from nnea_graph.report.audit.policy import Policy, glob_match
from nnea_graph.report.audit.policy_file import load_policy

GOOD = """
version = 1
[budget]
macs = "<= 600M"
file_size = "<= 20MiB"
unknown_cost_operators = 0
global_utilization = ">= 0.4"
[baseline]
macs = "<= 1.05x"
global_utilization = ">= -0.5pp"
[operators]
opset = ">= 17"
forbid = ["ai.onnx:Loop"]
[shapes]
dynamic = ["batch"]
[metadata]
required = ["author"]
[weights]
finite = true
external_data = "none"
[rules]
NNEA103 = "error"
NNEA2 = "off"
[gate]
fail_on = "warning"
[[ignore]]
rule = "NNEA103"
reason = "vendor operator"
expires = 2027-03-31
[[override]]
models = ["edge/**"]
budget.macs = "<= 60M"
operators.forbid = ["...", "ai.onnx:Resize"]
"""


def policy(folder: Path, text: str, name: str = "policy.toml") -> Policy:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return load_policy(file)


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("<= 600M", COUNT, 6e8),
        ("5K", COUNT, 5e3),
        (0, COUNT, 0),
        ("< 20MiB", BYTES, 20 * 2**20),
        ("1.5 kB", BYTES, 1500),
        (">= 40%", SHARE, 0.4),
    ],
)
def test_units_are_those_of_the_kind(text: object, kind: str, number: float) -> None:
    assert parse_limit(text, kind, "x").number == pytest.approx(number)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<= 5MiB", COUNT),
        ("<= 5M", BYTES),
        ("about 5", COUNT),
        (True, COUNT),
        ("=< 5", COUNT),
        ("<= -5", COUNT),
    ],
)
def test_what_is_no_limit_of_the_kind_is_an_error(text: object, kind: str) -> None:
    with pytest.raises(UsageError, match="x: "):
        parse_limit(text, kind, "x")


@pytest.mark.parametrize(
    ("text", "kind", "before", "limit"),
    [
        ("<= 1.05x", COUNT, 100, 105),
        ("<= +2%", COUNT, 100, 102),
        ("-10%", COUNT, 100, 90),
        (">= -0.5pp", SHARE, 0.9, 0.895),
    ],
)
def test_changes_are_of_the_baselines_value(text: str, kind: str, before: float, limit: float) -> None:
    found = parse_change(text, kind, "x")
    assert isinstance(found, Change)
    assert found.limit(before).number == pytest.approx(limit)


def test_percentage_points_are_of_shares_only() -> None:
    with pytest.raises(UsageError, match="percentage points"):
        parse_change("-0.5pp", COUNT, "x")
    assert isinstance(parse_change(">= 0.99", SHARE, "x"), Limit)


def test_a_ratio_to_nothing_is_an_error() -> None:
    found = parse_change("1.05x", COUNT, "x")
    assert isinstance(found, Change)
    with pytest.raises(UsageError, match="ratio"):
        found.limit(0)


def test_a_policy_says_what_it_says(tmp_path: Path) -> None:
    found = policy(tmp_path, GOOD)
    assert found.get("budget.macs").number == 6e8
    assert found.settings["budget.macs"].source == f"{tmp_path / 'policy.toml'}:4: [budget] macs"
    edge = found.for_model("edge/small/a.onnx")
    assert edge.get("budget.macs").number == 6e7
    assert edge.get("operators.forbid") == ("ai.onnx:Loop", "ai.onnx:Resize")
    assert found.for_model("other.onnx").get("budget.macs").number == 6e8


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[budgets]\nmacs = 1", "did you mean 'budget'"),
        ("[budget]\nmacz = 1", "did you mean 'macs'"),
        ('[budget]\nmacs = "<= 5MiB"', "takes K, M, G, T"),
        ('[gate]\nfail_on = "warn"', "none of error, warning"),
        ("[weights]\nfinite = 1", "must be true or false"),
        ('[operators]\nforbid = "Loop"', "must be a list of texts"),
        ('[rules]\nNNEA103 = "fatal"', "none of off, note"),
        ('[rules]\nE103 = "error"', "there is no key 'E103'"),
        ('[[ignore]]\nrule = "NNEA103"', "needs a rule and a reason"),
        ('[[ignore]]\nrule = "NNEA103"\nreason = "x"\nexpires = "soon"', "is a date"),
        ('[[ignore]]\nrule = "NNEA103"\nreason = "x"\nuntil = 1', "has no key 'until'"),
        ("[[override]]\nbudget.macs = 1", "needs models"),
        ('[[override]]\nmodels = ["a"]\ngate.fail_on = "note"', "has no table 'gate'"),
        ("version", "no valid TOML"),
    ],
)
def test_what_nobody_knows_is_named_with_its_line(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        policy(tmp_path, f"version = 1\n{line}\n")
    assert str(tmp_path / "policy.toml") in str(caught.value)


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="version must be 1"):
        policy(tmp_path, "version = 2\n")
    with pytest.raises(UsageError, match="version must be 1"):
        policy(tmp_path, "")


def test_the_file_on_top_wins_over_those_it_extends(tmp_path: Path) -> None:
    policy(tmp_path, 'version = 1\n[budget]\nmacs = 1\nparameters = "5M"\n', "base.toml")
    found = policy(tmp_path, 'version = 1\nextends = ["base.toml"]\n[budget]\nmacs = 2\n')
    assert (found.get("budget.macs").number, found.get("budget.parameters").number) == (2, 5e6)


def test_a_circle_of_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('version = 1\nextends = ["b.toml"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match="extends itself"):
        policy(tmp_path, 'version = 1\nextends = ["a.toml"]\n', "b.toml")


@pytest.mark.parametrize(
    ("glob", "path", "takes"),
    [
        ("**", "a/b.onnx", True),
        ("models/**/*.onnx", "models/b.onnx", True),
        ("models/*.onnx", "models/a/b.onnx", False),
        ("*.onnx", "b.onnx", True),
        ("models/**", "other/b.onnx", False),
    ],
)
def test_globs_cross_folders_only_by_two_stars(glob: str, path: str, takes: bool) -> None:  # noqa: FBT001
    assert glob_match(glob, path) is takes


def test_the_json_schema_takes_what_is_read_and_refuses_typos() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    def plain(text: str) -> Any:
        return json.loads(json.dumps(tomllib.loads(text), default=str))

    assert list(validator.iter_errors(plain(GOOD))) == []
    for typo in ("[budget]\nmacz = 1", '[budget]\nmacs = "<= 5MiB"', '[gate]\nfail_on = "warn"', "[budgets]"):
        assert list(validator.iter_errors(plain(f"version = 1\n{typo}\n"))), typo
