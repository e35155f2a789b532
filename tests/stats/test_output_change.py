"""How far outputs are from what they were, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.errors import DataError
from nnea_graph.stats.output_change import Axes, OutputChange, OutputComparison, answers, float_outputs

BEFORE = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
LABELS = np.array([1, 1])


def compared(
    *pairs: tuple[list[np.ndarray], list[np.ndarray]],
    labels: np.ndarray | None = None,
    axes: Axes | None = None,
) -> OutputChange:
    comparison = OutputComparison(axes)
    for before, after in pairs:
        comparison.add(before, after, labels)
    return comparison.change()


def test_the_same_outputs_are_no_change() -> None:
    assert compared(([BEFORE], [BEFORE]), labels=LABELS) == OutputChange(0.0, None, 1.0, 0.5)


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
    assert found == OutputChange(None, None, 0.5, None, "outputs are no longer finite")


def test_what_was_never_finite_is_left_out() -> None:
    holed = np.array([[3.0, 4.0], [np.inf, 0.0]], np.float32)
    assert compared(([holed], [holed * 2])).relative_l2 == pytest.approx(1.0)


def test_outputs_of_another_shape_cannot_be_compared() -> None:
    found = compared(([BEFORE], [BEFORE]), ([BEFORE], [BEFORE[:1]]))
    assert found == OutputChange(None, None, None, None, "the shapes of the outputs change")


def test_outputs_that_are_zero_throughout_have_no_relative_change() -> None:
    assert compared(([BEFORE * 0], [BEFORE])).relative_l2 is None


def test_no_output_is_no_change_that_is_known() -> None:
    assert compared(([], []), labels=LABELS) == OutputChange(None, None, None, None)


def test_an_output_with_everything_gone_has_changed_by_itself() -> None:
    found = compared(([BEFORE], [BEFORE * 0]), labels=LABELS)
    assert found == OutputChange(1.0, 0.0, 0.5, 0.0)


def test_what_overflows_is_not_known() -> None:
    huge = np.array([[1e200, 0.0]])
    assert compared(([huge], [huge])).relative_l2 is None


def test_comparisons_of_batches_merge_into_that_of_all() -> None:
    # Squares moved: 2² + 2² + 5² + 1² = 34 of 25 + 0.
    after = np.array([[1.0, 2.0], [5.0, 1.0]], np.float32)
    whole, parts = OutputComparison(), OutputComparison()
    whole.add([BEFORE], [after], LABELS)
    for row in (0, 1):
        part = OutputComparison()
        part.add([BEFORE[row : row + 1]], [after[row : row + 1]], LABELS[:1])
        parts.merge(part)
    assert parts.change() == whole.change()
    assert parts.change().relative_l2 == pytest.approx(np.sqrt(34 / 25))
    assert (parts.change().agreement, parts.change().accuracy) == (1.0, 0.5)


def test_what_is_wrong_with_one_batch_is_wrong_with_all_that_merge() -> None:
    broken, good = OutputComparison(), OutputComparison()
    broken.add([BEFORE], [BEFORE[:1]], None)
    good.add([BEFORE], [BEFORE], None)
    good.merge(broken)
    assert good.change() == OutputChange(None, None, None, None, "the shapes of the outputs change")


def test_classes_lie_along_any_axes() -> None:
    pixels = np.moveaxis(np.eye(3)[None, [[2, 1], [0, 2]]], -1, 1)  # [1, class, height, width]
    found = answers(pixels, (1,))
    assert found is not None
    assert found.tolist() == [2, 1, 0, 2]
    heads = answers(np.eye(6).reshape(6, 2, 3), (1, 2))
    assert heads is not None
    assert heads.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((2, 3), ()), ((3,), (1,)), ((2, 1), (1,))],
    ids=["no axes", "no such axis", "one class"],
)
def test_without_classes_there_are_no_answers(shape: tuple[int, ...], axes: Axes) -> None:
    assert answers(np.ones(shape), axes) is None
    same = compared(([np.ones(shape)], [np.ones(shape)]), labels=LABELS, axes=axes)
    assert (same.relative_l2, same.agreement, same.accuracy) == (0.0, None, None)


def test_labels_of_samples_do_not_rate_pixels() -> None:
    pixels = np.ones((2, 3, 4), np.float32)
    assert compared(([pixels], [pixels]), labels=LABELS, axes=(1,)).accuracy is None


def test_only_tensors_of_real_numbers_are_compared() -> None:
    assert float_outputs([np.ones(2, np.int64), [BEFORE], BEFORE])[0] is BEFORE
    assert len(float_outputs([np.ones(2, np.int64), [BEFORE], BEFORE])) == 1


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_an_error(label: int) -> None:
    output = np.eye(3, dtype=np.float32)
    with pytest.raises(DataError, match=rf"label {label} .* the model has 3, 0 to 2"):
        OutputComparison().add([output], [output], np.array([0, 1, label]))
