"""The files for contributors name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = [".github/CONTRIBUTING.md", ".github/SECURITY.md", "passes/README.md", "models/README.md"]
_PLACE = re.compile(r"`((?:\.ci|\.github|models|nnea_graph|passes|tests)/[\w./-]*)`")


@pytest.mark.parametrize("name", [*TEXTS, "README.md"])
def test_places_that_a_text_names_are_there(name: str) -> None:
    named = set(_PLACE.findall((ROOT / name).read_text(encoding="utf-8")))
    missing = {place for place in named if not (ROOT / place).exists()}
    assert missing <= {"passes/my_fact.py", "tests/passes/test_my_fact.py"}  # the example's own


def test_the_workflow_runs_on_the_supported_versions() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r'"(3\.\d+)"', workflow.split("matrix:")[1].split("steps:")[0])
    lowest = re.search(r'requires-python = ">=(3\.\d+)"', project)
    assert lowest is not None
    assert versions[0] == lowest[1]
    assert [int(each[2:]) for each in versions] == list(range(11, 11 + len(versions)))


@pytest.mark.parametrize("script", [".ci/run", ".ci/lowest"])
def test_scripts_of_the_workflow_can_be_run(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111


def test_what_the_fast_tier_leaves_out_is_there() -> None:
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    listed = re.findall(r'^    "([\w/.]+)",$', conftest.split("SLOW = (")[1].split(")")[0], re.MULTILINE)
    assert len(listed) > 10
    assert [each for each in listed if not (ROOT / "tests" / each).exists()] in ([], ["fuzz/"])
