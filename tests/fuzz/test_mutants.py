"""A number of mutants that takes about a minute; ``python -m fuzz.main`` runs as many as one likes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from fuzz.main import MODELS, faults
from fuzz.mutate import MUTATIONS, mutant

MUTANTS = 100


@pytest.mark.slow
def test_every_mutant_is_reported_or_refused_in_one_line(tmp_path: Path) -> None:
    found = [each for each in faults(MUTANTS, seed=0, keep=tmp_path) if each]
    assert found == []


def test_a_mutant_is_the_same_each_time_and_differs_from_its_base() -> None:
    base = onnx.load(MODELS / "digits_mlp.onnx")
    made = [mutant(base, str(number)).SerializeToString() for number in range(100)]
    assert made == [mutant(base, str(number)).SerializeToString() for number in range(100)]
    assert sum(each != base.SerializeToString() for each in made) > 95
    assert len(set(made)) > 90
    assert len(set(MUTATIONS)) == 12
