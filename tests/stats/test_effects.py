"""Effects on an output: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.stats.effects import Effect, Tally, answers

BEFORE = np.array([[3.0, 0.0], [0.0, 4.0]], np.float32)


def effect(before: object, after: object, labels: object = None, axes: tuple[int, ...] = (1,)) -> Effect:
    tally = Tally(axes)
    tally.add(np.asarray(before), np.asarray(after), None if labels is None else np.asarray(labels))
    return tally.effect()


@pytest.mark.parametrize(
    ("after", "labels", "expected"),
    [
        (BEFORE, None, Effect(0, 1, None)),
        (BEFORE, [0, 0], Effect(0, 1, 0.5)),
        ([[0.0, 0.0], [0.0, 0.0]], [0, 1], Effect(1, 0.5, 0.5)),
        ([[0.0, 4.0], [0.0, 4.0]], [1, 1], Effect(1, 0.5, 1)),
    ],
    ids=["same", "labels", "nothing-left", "other-answer"],
)
def test_an_effect(after: object, labels: object, expected: Effect) -> None:
    assert effect(BEFORE, after, labels) == expected


def test_batches_add_up() -> None:
    whole, parts = Tally((1,)), Tally((1,))
    after, labels = np.array([[1.0, 2.0], [5.0, 1.0]]), np.array([1, 1])
    whole.add(BEFORE, after, labels)
    for row in (0, 1):
        part = Tally((1,))
        part.add(BEFORE[row : row + 1], after[row : row + 1], labels[row : row + 1])
        parts.merge(part)
    assert parts.effect() == whole.effect()
    assert parts.effect().change == pytest.approx(np.sqrt((8 + 34) / 25))
    assert (parts.effect().agreement, parts.effect().accuracy) == (0, 0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_known(bad: float) -> None:
    assert effect(BEFORE, [[bad, 0], [0, 4]], [0, 1]) == Effect(None, None, None)


def test_a_change_of_nothing_is_not_known() -> None:
    assert effect(np.zeros((2, 2)), BEFORE).change is None


def test_one_class_has_no_answers() -> None:
    assert effect(np.ones((2, 1)), np.zeros((2, 1)), [0, 0]) == Effect(1, None, None)
    assert answers(np.ones((2, 3)), ()) is None
    assert answers(np.ones(3), (1,)) is None


def test_classes_lie_along_any_axes() -> None:
    pixels = np.moveaxis(np.eye(3)[None, [[2, 1], [0, 2]]], -1, 1)  # [1, class, height, width]
    found = answers(pixels, (1,))
    assert found is not None
    assert found.tolist() == [2, 1, 0, 2]
    heads = answers(np.eye(6).reshape(6, 2, 3), (1, 2))
    assert heads is not None
    assert heads.tolist() == [0, 1, 2, 3, 4, 5]


def test_labels_of_samples_do_not_rate_pixels() -> None:
    assert effect(np.ones((2, 3, 4)), np.ones((2, 3, 4)), [0, 0]).accuracy is None
