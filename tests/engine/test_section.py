"""What a pass says of its facts is checked: plain values, known operators, a reason for each None."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hostile.support.models import model, op, typed

from nnea_graph.api.analyze import load
from nnea_graph.engine import Column, FactRow, FactSection, Pass, RunContext, run_passes
from nnea_graph.engine.section import checked
from nnea_graph.graph import Key, ModelGraph

RELU = model([op("Relu", ["x"], ["y"], name="relu")], [typed("x", 3, 4)])
COLUMNS = (Column("one"), Column("two", "ms"))


def section(*rows: FactRow, columns: tuple[Column, ...] = COLUMNS) -> FactSection:
    return FactSection("Title", columns, rows)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (section(FactRow({"one": 1}, "other")), "'other', which the model does not have"),
        (section(FactRow({"three": 1})), "no column 'three'"),
        (section(FactRow({"one": None}, "relu")), "no reason why 'one' of operator 'relu' is None"),
        (section(FactRow({"one": float("nan")})), "nan as 'one' of the model"),
        (section(FactRow({"one": np.float32("inf")})), "inf as 'one' of the model"),  # type: ignore[dict-item]
        (section(FactRow({"one": [1]})), "type list"),  # type: ignore[dict-item]
        (section(FactRow({"one": np.arange(3)})), "type ndarray"),  # type: ignore[dict-item]
        (section(FactRow({"one": 1}), FactRow({"one": 2})), "the model 2 times"),
        (section(FactRow({"one": 1}, "relu"), FactRow({"one": 2}, "relu")), "operator 'relu' 2 times"),
        (section(columns=(Column("one"), Column("one"))), "column 'one' 2 times"),
    ],
)
def test_a_section_that_does_not_hold_is_refused(found: FactSection, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(found, load(RELU))


def test_numbers_of_numpy_become_python_numbers_and_the_model_comes_first() -> None:
    rows = (FactRow({"two": np.float32(0.5), "one": np.int8(3)}, "relu"), FactRow({"one": np.bool_(True)}))  # type: ignore[dict-item]
    model_row, node_row = checked(section(*rows), load(RELU)).rows
    assert model_row.values == {"one": True}
    assert node_row.values == {"one": 3, "two": 0.5}
    assert [type(value) for value in (*model_row.values.values(), *node_row.values.values())] == [
        bool,
        int,
        float,
    ]


FACT = Key[int]("fact")


@dataclass(frozen=True)
class BrokenPass(Pass):
    """Describes an operator that is not there."""

    name = "broken"
    provides = (FACT,)

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        graph[FACT] = 1

    def describe(self, graph: ModelGraph) -> FactSection:
        del graph
        return section(FactRow({"one": 1}, "other"))


def test_a_pass_that_describes_what_is_not_there_fails_alone() -> None:
    (result,) = run_passes(load(RELU), [BrokenPass()])
    assert result.status == "failed"
    assert "which the model does not have" in result.reason
    assert result.section is None
