"""What tests of the whole program share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile.support.running import Program, serving

from nnea_graph import NNEfficiencyAnalyzer

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="session")
def server() -> Iterator[subprocess.Popen[str]]:
    with serving() as process:
        yield process


@pytest.fixture
def program(server: subprocess.Popen[str], tmp_path: Path) -> Program:
    """The command line, run in the test's own folder."""
    return Program(server, tmp_path)


@pytest.fixture(scope="module")
def digits() -> NNEfficiencyAnalyzer:
    """An analysis of the digits MLP on some of its data."""
    analyzer = NNEfficiencyAnalyzer(MODELS / "digits_mlp.onnx")
    analyzer.analyze(MODELS / "digits.npz", samples=50, verbose=False)
    return analyzer


GOLDEN = Path(__file__).parent / "golden"


SLOW = (
    "api/test_use_cases.py",
    "channels/build/test_by_perturbation.py",
    "commands/test_prune.py",
    "commands/test_prune_lossless.py",
    "frontends/keras/",
    "frontends/tensorflow/",
    "frontends/tf2onnx/",
    "frontends/tflite/",
    "frontends/torch/test_models.py",
    "fuzz/",
    "hostile/",
    "integrations/",
    "numbers/",
    "ops/values/test_node_cases.py",
    "passes/test_sensitivity_in_time.py",
    "render/web/test_browser.py",
    "rewrite/lossless/test_generated.py",
    "rewrite/lossless/test_torch.py",
    "rewrite/models/",
    "rewrite/source/",
    "rewrite/test_prune.py",
    "runtime/data/test_tf_data.py",
    "runtime/export/test_large_models.py",
    "runtime/export/test_to_onnx.py",
    "runtime/session/test_isolated.py",
    "runtime/synthetic/test_corpus.py",
)
"""Files and folders that ``-m "not slow"`` leaves out: exports, whole models, hostile runs, prunings."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        if item.path.relative_to(tests).as_posix().startswith(SLOW):
            item.add_marker("slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew; review the diff")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the file of that name in tests/golden, or writes it with --update-golden."""

    def compare(name: str, found: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--update-golden"):
            file.write_text(found, encoding="utf-8")
        assert found == file.read_text(encoding="utf-8"), (
            "if this is meant: pytest --update-golden, and read git diff"
        )

    return compare
