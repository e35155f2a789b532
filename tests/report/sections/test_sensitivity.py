"""What may go, how statistics are judged, and when something is recommended: by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nnea_graph.channels.ablation.weights_and_channels import Ablation
from nnea_graph.passes.sensitivity import AblationPoint
from nnea_graph.report.findings.sensitivity import sensitivity_findings
from nnea_graph.report.schema.sensitivity import ModelSensitivity, SensitivityPoint, StaticAgreement
from nnea_graph.report.sections.sensitivity import harmless
from nnea_graph.stats.output_change import OutputChange

NOTHING = OutputChange(None, None, None, None)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        pytest.param({}, None, id="not measured"),
        pytest.param({0.1: 0.0, 0.3: 0.005, 0.5: 0.02, 0.7: 0.3}, 0.3, id="the largest below the limit"),
        pytest.param({0.1: 0.0, 0.3: 0.02, 0.5: 0.0}, 0.1, id="luck behind a loss does not count"),
        pytest.param({0.1: 0.02, 0.3: 0.0}, 0.0, id="none may go"),
        pytest.param({0.1: 0.01}, 0.0, id="the limit itself is too much"),
        pytest.param({0.1: -0.01, 0.3: -0.02}, 0.3, id="gains are no loss"),
        pytest.param({0.5: 0.005}, 0.5, id="half is harmless, so are the smaller shares"),
        pytest.param({0.5: 0.02}, None, id="half is not, smaller shares are not known"),
        pytest.param({0.1: 0.0, 0.3: None}, 0.1, id="an unknown loss is not below the limit"),
    ],
)
def test_the_largest_harmless_share(losses: dict[float, float | None], expected: float | None) -> None:
    points = [
        AblationPoint(Ablation("weights", "importance", share), 1, NOTHING, loss)
        for share, loss in losses.items()
    ]
    others = [
        AblationPoint(Ablation("weights", "random", 0.9), 1, NOTHING, 0.0),
        AblationPoint(Ablation("channels", "importance", 0.9), 1, NOTHING, 0.0),
    ]
    assert harmless([*points, *others], "weights", 0.01) == expected


def point(criterion: str, fraction: float, loss: float, unit: str = "weights") -> SensitivityPoint:
    return SensitivityPoint(unit, criterion, fraction, 10, 0.1, 20.0, 1 - loss, 0.9 - loss, loss, "")


MODEL = ModelSensitivity(
    samples=1000,
    offered=1000,
    synthetic=False,
    accuracy=0.9,
    repeat_change=0.0,
    loss_of="accuracy",
    loss_limit=0.01,
    planned=9,
    measured=9,
    removable_weights=0.3,
    removable_channels=None,
    points=[point("importance", 0.3, 0.004), point("importance", 0.7, 0.09), point("magnitude", 0.7, 0.02)],
    static=[StaticAgreement("redundancy", "importance", 8, -0.25, "says nothing")],
    not_run="",
)


def test_what_was_measured_on_enough_real_data_is_said() -> None:
    messages = {each.rule: each.message for each in sensitivity_findings(MODEL, [])}
    assert messages == {
        "NNEA211": "the least important 30.0 % of every layer's weights can be removed at once for a loss of 0.4 points"
        " of accuracy (90.0 % to 89.6 %), measured on 1,000 samples",
        "NNEA212": "redundancy of importance does not predict the measured sensitivity (Spearman -0.25 over 8 layers)",
        "NNEA213": "70.0 % of all weights of smallest |w| cost less (2.0 points) than the least important ones"
        " (9.0 points)",
    }


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"synthetic": True}, id="synthetic"),
        pytest.param({"samples": 99}, id="too few samples to see one point"),
        pytest.param({"not_run": "no"}, id="not run"),
    ],
)
def test_nothing_is_recommended_without_a_measurement_on_enough_real_data(change: dict[str, Any]) -> None:
    assert sensitivity_findings(replace(MODEL, **change), []) == []


def test_without_the_pass_nothing_is_said() -> None:
    assert sensitivity_findings(None, []) == []


def test_a_removal_that_raises_the_accuracy_says_that_it_gains() -> None:
    better = [point("importance", 0.3, -0.0022)]
    found = sensitivity_findings(replace(MODEL, points=better, static=[]), [])
    (mine,) = [each for each in found if each.rule == "NNEA211"]
    assert "can be removed at once and gain 0.2 points of accuracy (90.0 % to 90.2 %)" in mine.message


def test_where_all_is_lost_no_criterion_is_the_better_one() -> None:
    ruined = [point("importance", 0.9, 0.8), point("magnitude", 0.9, 0.6), point("random", 0.9, 0.7)]
    found = sensitivity_findings(replace(MODEL, points=ruined, removable_weights=0.0, static=[]), [])
    assert found == []


@pytest.mark.parametrize(
    ("loss_of", "words"),
    [
        pytest.param("agreement", "0.40 % top-1 disagreement, measured on 1,000 samples", id="agreement"),
        pytest.param(
            "relative_l2", "0.40 % relative change of the outputs, measured on 1,000 samples", id="l2"
        ),
    ],
)
def test_the_cost_is_in_terms_of_what_was_measured(loss_of: str, words: str) -> None:
    found = sensitivity_findings(replace(MODEL, loss_of=loss_of), [])
    (mine,) = [each for each in found if each.rule == "NNEA211"]
    assert mine.message.endswith(f"can be removed at once at {words}")
