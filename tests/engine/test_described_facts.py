"""The example of ``passes/README.md`` as a pass of an installed package and as a file in ``passes/``: it is seen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import onnx
import pytest
from hostile.support.models import model, op, typed

import nnea_graph

ROOT = Path(__file__).parents[2]
EXAMPLE = re.findall(
    r"```python\n(.*?)```", (ROOT / "passes" / "README.md").read_text(encoding="utf-8"), re.DOTALL
)[0]
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "my-package"
version = "1.0"
[project.entry-points."nnea_graph.passes"]
my_fact = "my_package.my_fact:MyFactPass"
[tool.setuptools]
packages = ["my_package"]
"""
RELU = model(
    [op("Relu", ["x"], ["r"], name="relu"), op("NonZero", ["r"], ["y"], name="nonzero")], [typed("x", 3, 4)]
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package in it that pip has installed from its source."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "my_package").mkdir()
    (source / "my_package" / "__init__.py").write_text("")
    (source / "my_package" / "my_fact.py").write_text(EXAMPLE, encoding="utf-8")
    (source / "pyproject.toml").write_text(PROJECT)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", target, source],
        check=True, capture_output=True,
    )  # fmt: skip
    return target


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this package, its passes a folder of their own with one file more."""
    top = tmp_path_factory.mktemp("tree")
    passes = top / "nnea_graph" / "passes"
    passes.mkdir(parents=True)
    home = Path(nnea_graph.__file__).parent
    for folder, place in ((home, top / "nnea_graph"), (home / "passes", passes)):
        for each in folder.iterdir():
            if each.name not in {"passes", "__pycache__"}:
                (place / each.name).symlink_to(each)
    (passes / "my_fact.py").write_text(EXAMPLE, encoding="utf-8")
    return top


@pytest.fixture(scope="module", params=["installed", "dropped"])
def place(request: pytest.FixtureRequest) -> Path:
    """Where Python finds the pass."""
    folder: Path = request.getfixturevalue(request.param)
    (folder / "model.onnx").write_bytes(RELU.SerializeToString())
    return folder


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nnea_graph", *arguments],
        capture_output=True, text=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_json_has_the_facts_under_the_name_of_the_pass_and_keeps_its_schema(place: Path) -> None:
    report = json.loads(run(place, "run", "model.onnx", "-p", "my_fact{scale=2}", "--format", "json"))
    found = report["extensions"]["my_fact"]
    assert found["rows"] == [
        {"values": {"largest": 24}, "operator": None, "reasons": {}},
        {"values": {"elements": 24}, "operator": "relu", "reasons": {}},
        {
            "values": {"elements": None},
            "operator": "nonzero",
            "reasons": {"elements": "the shape of its output is not known"},
        },
    ]
    assert [column["name"] for column in found["columns"]] == ["elements", "largest"]
    jsonschema.validate(report, json.loads(run(place, "schema")))


def test_the_terminal_shows_the_model_the_operators_and_why_a_fact_is_not_known(place: Path) -> None:
    text = run(place, "run", "model.onnx", "-p", "my_fact")
    section = text.partition("Elements of outputs (pass my_fact)")[2].partition("\n\n")[0]
    lines = [line.split() for line in section.strip().splitlines()]
    assert lines[0] == ["largest", "12", "output", "of", "all"]
    assert ["relu", "12"] in lines
    assert ["nonzero", "–"] in lines
    assert "– 1 value not known: the shape of its output is not known" in section


def test_a_model_is_annotated_with_the_facts(place: Path) -> None:
    run(place, "annotate", "model.onnx", "-p", "my_fact,cost", "-o", "out.onnx", "--force")
    found = onnx.load(place / "out.onnx")
    nodes = {node.name: {each.key: each.value for each in node.metadata_props} for node in found.graph.node}
    assert nodes["relu"]["nnea_graph.my_fact.elements"] == "12"
    assert "nnea_graph.my_fact.elements" not in nodes["nonzero"]
    unknown = json.loads(nodes["nonzero"]["nnea_graph.unknown"])
    assert unknown["my_fact.elements"] == "the shape of its output is not known"
    assert {each.key: each.value for each in found.metadata_props}["nnea_graph.my_fact.largest"] == "12"


def test_the_catalogue_lists_the_pass(place: Path) -> None:
    assert "my_fact  (not by default; add with -p +my_fact)" in run(place, "passes")
