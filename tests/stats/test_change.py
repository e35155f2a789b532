"""How far outputs are from what they were, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.stats.change import Change, Comparison, float_outputs

BEFORE = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
LABELS = np.array([1, 1])


def compared(*pairs: tuple[list[np.ndarray], list[np.ndarray]], labels: np.ndarray | None = None) -> Change:
    comparison = Comparison()
    for before, after in pairs:
        comparison.add(before, after, labels)
    return comparison.change()


def test_the_same_outputs_are_no_change() -> None:
    assert compared(([BEFORE], [BEFORE]), labels=LABELS) == Change(0.0, None, 1.0, 0.5)


def test_all_outputs_and_batches_are_one_vector() -> None:
    # |y| = 5 in each batch, the difference 1 in one element of the second: 1 / sqrt(50).
    moved = BEFORE + np.array([[0, 0], [1, 0]], np.float32)
    found = compared(([BEFORE], [BEFORE]), ([BEFORE], [moved]))
    assert found.relative_l2 == pytest.approx(50**-0.5)
    assert found.sqnr_db == pytest.approx(10 * np.log10(50))
    assert found.agreement == 1.0
    assert found.accuracy is None


def test_another_largest_entry_is_another_answer() -> None:
    moved = np.array([[5.0, 4.0], [0.0, 1.0]], np.float32)
    found = compared(([BEFORE], [moved]), labels=LABELS)
    assert (found.agreement, found.accuracy) == (0.0, 0.5)


def test_the_class_is_that_of_the_first_output_that_has_some() -> None:
    bare = np.ones((2, 1), np.float32)
    found = compared(([np.ones(2, np.float32), bare, BEFORE], [np.ones(2, np.float32), bare, BEFORE]))
    assert found.agreement == 1.0
    assert compared(([bare], [2 * bare])).agreement is None


def test_outputs_that_are_no_longer_finite_are_said_to_be_so() -> None:
    broken = np.array([[np.nan, 4.0], [0.0, -1.0]], np.float32)
    found = compared(([BEFORE], [broken]))
    assert found == Change(None, None, 0.5, None, "outputs are no longer finite")


def test_what_was_never_finite_is_left_out() -> None:
    holed = np.array([[3.0, 4.0], [np.inf, 0.0]], np.float32)
    assert compared(([holed], [holed * 2])).relative_l2 == pytest.approx(1.0)


def test_outputs_of_another_shape_cannot_be_compared() -> None:
    found = compared(([BEFORE], [BEFORE]), ([BEFORE], [BEFORE[:1]]))
    assert found == Change(None, None, None, None, "the shapes of the outputs change")


def test_outputs_that_are_zero_throughout_have_no_relative_change() -> None:
    assert compared(([BEFORE * 0], [BEFORE])).relative_l2 is None


def test_only_tensors_of_real_numbers_are_compared() -> None:
    assert float_outputs([np.ones(2, np.int64), [BEFORE], BEFORE])[0] is BEFORE
    assert len(float_outputs([np.ones(2, np.int64), [BEFORE], BEFORE])) == 1
