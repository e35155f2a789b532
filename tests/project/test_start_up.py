"""Start-up: a command imports what it needs and no more. Modules are counted, not seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODEL = str(Path(__file__).parents[2] / "models" / "digits_cnn.onnx")
BEFORE_THE_ROOMS = 157
"""Modules of the package that ``run -p cost`` imported before it was divided into packages."""


def _imported(*words: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "nnea_graph", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    names = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines())
    return {name for name in names if name.partition(".")[0] == "nnea_graph"}


def test_cost_alone_imports_fewer_modules_than_before_the_package_was_divided() -> None:
    found = _imported("run", MODEL, "-p", "cost")
    assert "nnea_graph.passes.cost" in found
    assert len(found) < BEFORE_THE_ROOMS, sorted(found)


def test_cost_alone_imports_nothing_that_runs_measures_or_reads_policies() -> None:
    found = _imported("run", MODEL, "-p", "cost")
    unasked = (
        "nnea_graph.stats.",
        "nnea_graph.process.",
        "nnea_graph.runtime.observe.",
        "nnea_graph.runtime.session.",
        "nnea_graph.report.schema.pathways",
        "nnea_graph.report.audit.policy_file",
        "nnea_graph.report.audit.baseline",
        "nnea_graph.render.text.pathways",
        "nnea_graph.render.web.",
        "nnea_graph.report.glossary.",
    )
    assert [name for name in sorted(found) if name.startswith(unasked)] == []


def test_help_version_and_errors_import_no_analysis() -> None:
    for words in (("--help",), ("--version",), ("run", "--nothing"), ("nothing",)):
        found = _imported(*words)
        assert len(found) <= 20, (words, sorted(found))
