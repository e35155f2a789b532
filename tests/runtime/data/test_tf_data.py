"""``tf.data`` as data: batches or single samples, inputs alone, with labels, or by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from model_zoo.tf_nets import FEATURES, Net, rows, tf

from nnea_graph import analyze
from nnea_graph.api.analyzer import NNEfficiencyAnalyzer, quick_analyze
from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.runtime.open_data import open_data

X = {"x": TensorInfo(BY_NAME["float32"], ("batch", FEATURES))}
VALUES = rows(20)
LABELS = np.arange(20) % 3

slices: Callable[[Any], Any] = tf.data.Dataset.from_tensor_slices

WITHOUT_LABELS = {
    "batches": lambda: slices(VALUES).batch(8),
    "full batches": lambda: slices(VALUES).batch(5, drop_remainder=True).prefetch(2),
    "batches by name": lambda: slices({"x": VALUES}).batch(8),
    "samples": lambda: slices(VALUES),
    "samples by name": lambda: slices({"x": VALUES}),
    "samples of batches": lambda: slices(VALUES).batch(4, drop_remainder=True).unbatch(),
    "all at once": lambda: tf.data.Dataset.from_tensors(VALUES),
    "a generator": lambda: tf.data.Dataset.from_generator(
        lambda: iter(VALUES), output_signature=tf.TensorSpec((FEATURES,), tf.float32)
    ),
}
WITH_LABELS = {
    "batches": lambda: slices((VALUES, LABELS)).batch(8),
    "batches by name": lambda: slices(({"x": VALUES}, LABELS)).batch(8),
    "labels by name": lambda: slices({"x": VALUES, "y": LABELS}).batch(8),
    "samples": lambda: slices((VALUES, LABELS)),
    "samples by name": lambda: slices(({"x": VALUES}, LABELS)),
    "rows of one 1": lambda: slices((VALUES, np.eye(3, dtype=np.float32)[LABELS])).batch(8),
    "columns": lambda: slices((VALUES, LABELS[:, np.newaxis])).batch(8),
    "all at once": lambda: tf.data.Dataset.from_tensors((VALUES, LABELS)),
}


def read(pipeline: Any) -> tuple[np.ndarray[Any, Any], list[int]]:
    """All samples, and their labels."""
    batches = list(open_data(pipeline, X).batches(6))
    labels = [int(label) for batch in batches if batch.labels is not None for label in batch.labels]
    return np.concatenate([batch.feeds["x"] for batch in batches]), labels


@pytest.mark.parametrize("pipeline", WITHOUT_LABELS.values(), ids=WITHOUT_LABELS)
def test_every_sample_is_read_once_and_in_order(pipeline: Callable[[], Any]) -> None:
    values, labels = read(pipeline())
    np.testing.assert_array_equal(values, VALUES)
    assert not labels


@pytest.mark.parametrize("pipeline", WITH_LABELS.values(), ids=WITH_LABELS)
def test_labels_stay_with_their_samples(pipeline: Callable[[], Any]) -> None:
    values, labels = read(pipeline())
    np.testing.assert_array_equal(values, VALUES)
    assert labels == LABELS.tolist()


def test_a_function_may_give_a_pipeline() -> None:
    values, labels = read(lambda: slices((VALUES, LABELS)))
    np.testing.assert_array_equal(values, VALUES)
    assert labels == LABELS.tolist()


def test_rows_of_more_than_one_1_are_no_classes() -> None:
    several = np.ones((20, 3), np.float32)
    with pytest.raises(DataError, match="one 1 among zeros"):
        read(slices((VALUES, several)).batch(8))


def test_what_repeats_without_end_is_refused_and_read_as_far_as_one_says() -> None:
    endless = slices(VALUES).repeat().batch(8)
    with pytest.raises(DataError, match=r"repeats without end; say how many samples.*take"):
        open_data(endless, X)
    batches = open_data(endless, X, samples=30).batches(8)
    assert sum(len(batch.feeds["x"]) for batch in batches) == 30


@pytest.mark.parametrize("pipeline", [WITH_LABELS["samples"], WITH_LABELS["batches by name"]])
def test_the_analyzer_finds_in_a_pipeline_what_it_finds_in_arrays(
    pipeline: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    net = Net()
    analyzer = quick_analyze(net, pipeline(), visualize=False)
    arrays = NNEfficiencyAnalyzer(net).analyze((VALUES, LABELS), verbose=False)
    assert analyzer.framework == "tensorflow"
    assert analyzer.report.data is not None
    assert analyzer.report.data.samples == 20
    assert not analyzer.report.data.synthetic
    assert analyzer.global_metrics["redundancy_score"] == pytest.approx(arrays.totals.redundancy_score)
    assert "layers/0" in capsys.readouterr().out


def test_a_function_without_a_signature_takes_its_example_from_a_pipeline() -> None:
    weight = tf.Variable(np.ones((FEATURES, 3), np.float32))
    function = tf.function(lambda x: x @ weight)
    report = analyze(function, slices((VALUES, LABELS)), passes="sensitivity{units=weights}")
    assert report.totals.macs == FEATURES * 3
    assert report.sensitivity is not None
    assert report.sensitivity.accuracy == pytest.approx(float(np.mean(LABELS == 0)))
