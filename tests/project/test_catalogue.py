"""The catalogue of passes is what lies in the folder, and what other packages announce."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from nnea_graph.engine import Pass
from nnea_graph.engine.manager import ordered_passes
from nnea_graph.passes import catalogue

FILES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "passes").glob("*.py") if path.stem != "__init__"
)


def kinds() -> list[type[Pass]]:
    return [catalogue()[name]() for name in FILES]


def test_every_file_is_a_pass_and_every_pass_a_file() -> None:
    assert list(catalogue()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_file_pass_and_class_have_one_name(name: str) -> None:
    kind = catalogue()[name]()
    assert kind.name == name
    assert kind.__name__ == "".join(part.capitalize() for part in name.split("_")) + "Pass"
    assert kind.__module__ == f"nnea_graph.passes.{name}"


@pytest.mark.parametrize("name", FILES)
def test_a_pass_is_a_frozen_dataclass_that_says_what_it_does(name: str) -> None:
    kind = catalogue()[name]()
    assert dataclasses.is_dataclass(kind)
    assert kind() == kind(), "all options have defaults"
    assert kind.__doc__
    assert kind.provides
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind().name = "other"  # type: ignore[misc]


def test_every_fact_has_one_provider() -> None:
    provided = Counter(key.name for kind in kinds() for key in kind.provides)
    assert set(provided.values()) == {1}


def test_all_passes_together_have_an_order() -> None:
    assert len(ordered_passes([kind() for kind in kinds()])) == len(FILES)


def test_what_the_default_passes_need_is_default_too() -> None:
    provided = {key.name for kind in kinds() if kind.default for key in kind.provides}
    assert all(key.name in provided for kind in kinds() if kind.default for key in kind.requires)


def test_counting_imports_no_pass_that_it_does_not_need() -> None:
    asked = """
import sys
from nnea_graph import analyze
analyze(sys.argv[1], passes="cost")
print(*sorted(name for name in sys.modules if name.startswith("nnea_graph.passes.")))
"""
    model = Path(__file__).parents[2] / "models" / "digits_mlp.onnx"
    done = subprocess.run([sys.executable, "-c", asked, model], capture_output=True, text=True, check=True)
    imported = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert "cost" in imported
    assert not imported & {
        "channels",
        "pathways",
        "path_validation",
        "sensitivity",
        "quantization",
        "redundancy",
    }
