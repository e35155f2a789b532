from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from nnea_graph.render.ci.github import render_github
from nnea_graph.render.ci.gitlab import render_gitlab
from nnea_graph.render.ci.junit import render_junit
from nnea_graph.render.ci.sarif import render_sarif
from nnea_graph.render.formats.audit import RESULT_FORMATS, render_results
from nnea_graph.render.markdown import BUDGET, render_summary
from nnea_graph.report.audit.check import Check, ModelAudit

BUDGETED = Check("NNEA901", "budget.macs", "fail", "error", "macs is 5, the limit 4", value=5, threshold=4)
FOUND = Check("NNEA103", "NNEA103", "ignored", "warning", "cost unknown", "Loop_3/body/Op_1", reason="vendor")
AUDITS = [
    ModelAudit("models/a.onnx", (BUDGETED, FOUND, replace(BUDGETED, outcome="pass")), 1, sha256="ab" * 32),
    ModelAudit("models/b.onnx", (), 2, error="cannot be read"),
]
HOSTILE = "\x1b[2J::error::x\n</failure>]]>%0A|`<script>\u202e"


def hostile() -> list[ModelAudit]:
    check = replace(BUDGETED, message=HOSTILE, node=HOSTILE, reason=HOSTILE)
    return [ModelAudit(HOSTILE, (check, replace(check, outcome="ignored")), 1, error=HOSTILE)]


def test_sarif_has_what_code_scanning_requires() -> None:
    run = json.loads(render_sarif(AUDITS))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "models/a.onnx"
        assert place["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2}
        assert result["partialFingerprints"]["primaryLocationLineHash"]
    assert [result.get("suppressions") is not None for result in run["results"]] == [False, True]
    assert (
        run["results"][1]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "Loop_3/body/Op_1"
    )
    assert not run["invocations"][0]["executionSuccessful"]


def test_junit_counts_every_check_that_was_made() -> None:
    root = ET.fromstring(render_junit(AUDITS))
    assert root.attrib["tests"] == "4"
    assert (root.attrib["failures"], root.attrib["errors"]) == ("1", "1")
    first, second = root
    assert [each.tag for case in first for each in case] == ["failure", "skipped"]
    assert [each.tag for case in second for each in case] == ["error"]
    names = [(case.attrib["classname"], case.attrib["name"]) for suite in root for case in suite]
    assert len(set(names)) == len(names)
    assert {name for suite in root for case in suite for name in case.attrib} == {"classname", "name", "time"}


def test_gitlab_takes_failures_with_fingerprints_that_differ() -> None:
    twice = [replace(AUDITS[0], checks=(BUDGETED, replace(BUDGETED, message="again")))]
    issues = json.loads(render_gitlab(twice))
    assert len({each["fingerprint"] for each in issues}) == 2
    assert issues[0]["location"] == {"path": "models/a.onnx", "lines": {"begin": 1}}
    assert issues[0]["severity"] == "major"


def test_github_says_how_many_are_not_shown() -> None:
    many = [ModelAudit("a.onnx", tuple(replace(BUDGETED, node=str(each)) for each in range(15)), 1)]
    lines = render_github(many).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "::error title=nnea-graph::6 more of this severity"
    assert lines[0].startswith("::error file=a.onnx,line=1,title=nnea-graph (NNEA901)::")


@pytest.mark.parametrize("name", sorted(RESULT_FORMATS))
def test_texts_of_a_stranger_stay_texts(name: str) -> None:
    found = render_results(name, hostile())
    assert "\x1b" not in found
    assert "\u202e" not in found
    if name == "junit":
        assert len(list(ET.fromstring(found).iter("testcase"))) == 3
    if name == "github":
        assert len(found.splitlines()) == 2
        assert all(line.startswith("::error ") for line in found.splitlines())
    if name in {"json", "sarif", "gitlab"}:
        json.loads(found)
    if name == "md":
        assert "<script>" not in found


@pytest.mark.parametrize("name", sorted(RESULT_FORMATS))
def test_the_same_audits_give_the_same_bytes(name: str) -> None:
    assert render_results(name, AUDITS) == render_results(name, AUDITS)


def test_a_summary_is_cut_to_what_a_comment_holds() -> None:
    checks = tuple(replace(BUDGETED, message="m" * 300, node=str(each)) for each in range(1000))
    found = render_summary([ModelAudit("a.onnx", checks, 1)])
    assert len(found.encode()) <= BUDGET
    assert "Cut here" in found
