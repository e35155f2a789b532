"""The page of a pruning plan: every number, every operator by one short name, nothing wider than the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnea_graph.render.pruning_text.plan import plan_page
from nnea_graph.report.schema.pruning_plan import (
    FamilyParts,
    NotPrunable,
    PlannedFamily,
    PlannedSaving,
    PruningPlan,
    SavedTime,
)
from nnea_graph.report.schema.verification import Speed

PARTS = FamilyParts(["stem", "outer"], ["inner", "head"], ["norm"], ["shift"], ["scale"], ["flatten"])
SPEED = Speed(1, 0.0021, 0.0011, 1.9, 1.8, 2.0, 30, "faster")
FAMILY = PlannedFamily(
    "stem",
    64,
    1,
    16,
    "",
    PARTS,
    PlannedSaving(16, 1200, 34_000, 4800),
    PlannedSaving(32, 2400, 68_000, 9600),
    SavedTime(0.001, 0.0009, 0.00105, SPEED, ""),
)
UNKNOWN = SavedTime(None, None, None, replace(SPEED, verdict="not clear"), "the intervals hold both")
PLAN = PruningPlan(
    model="a\x1b[2J.onnx",
    dims={"batch": 1},
    inputs={"x": [1, 3]},
    parameters=10_000,
    macs=2_000_000,
    macs_reason="",
    bytes=40_960,
    align="auto",
    align_reason="",
    data="synthetic (seed 0)",
    synthetic=True,
    run_samples=1,
    families=[FAMILY, replace(FAMILY, family="inner", half_time=UNKNOWN, reason="kept, as --keep says")],
    pinned=[NotPrunable("head", 10, "output of the model"), NotPrunable("tail", None, "output of the model")],
)


def page(plan: PruningPlan = PLAN, width: int = 80) -> list[str]:
    return [line.plain for line in plan_page(plan, width)]


@pytest.mark.parametrize(
    "line",
    [
        "a\\x1b[2J.onnx",
        "parameters 10.0 K weights, scales and biases",
        "multiply-accumulates 2.00 M of one run at batch=1",
        "constants 40.0 KiB as they are stored",
        "stem 64 16 16 1.20 K 34.0 K 4.69 KiB",
        "stem 32 2.40 K 68.0 K 9.38 KiB 1 0.9 … 1.05",
        "inner 32 2.40 K 68.0 K 9.38 KiB not clear –",
        "latency unknown the intervals hold both",
        "inner: kept, as --keep says",
        "head, tail: output of the model",
    ],
)
def test_every_number_and_reason_is_there(line: str) -> None:
    assert line in [" ".join(text.split()) for text in page()]


def test_what_goes_with_a_family_is_told_by_what_it_is_to_it() -> None:
    said = " ".join(" ".join(page(width=120)).split())
    assert (
        "stem produced by stem, outer; consumed by inner, head; normalized by norm; shifted by shift;"
        " other constants of scale; sizes or groups of flatten" in said
    )
    alone = replace(FAMILY, parts=FamilyParts(["stem"], ["head"], [], [], [], []))
    assert "made by" not in " ".join(page(replace(PLAN, families=[alone])))


def test_what_was_not_run_has_no_time_and_steps_of_one_say_so() -> None:
    unmeasured = replace(FAMILY, half_time=SavedTime(None, None, None, None, "not run: --no-run"))
    found = replace(PLAN, families=[unmeasured], run_samples=None, data="", align_reason="not run: --no-run")
    said = [" ".join(line.split()) for line in page(found)]
    assert "Savings at half of the channels (not run)" in said
    assert "stem 32 2.40 K 68.0 K 9.38 KiB – –" in said
    assert "steps 1 not measured, not run: --no-run" in said


def test_a_model_without_families_shows_what_stays() -> None:
    said = page(replace(PLAN, families=[]))
    assert not any("Channels" in line for line in said)
    assert "  head, tail: output of the model" in said
    assert "Not prunable (none)" in page(replace(PLAN, families=[], pinned=[]))


@pytest.mark.parametrize("width", [72, 80, 120])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    long = FamilyParts(
        *([f"encoder/layers/{place}/dense;BiasAdd/MatMul" * 3 for place in range(9)] for _ in range(6))
    )
    families = [
        replace(FAMILY, family=f"encoder/layers/{place}/attention/MatMul" * 3, parts=long, groups=1_000_000)
        for place in range(12)
    ]
    found = page(replace(PLAN, families=families), width)
    assert max(map(len, found)) <= width
    assert any("and 3 more" in line for line in found)
