"""How many samples a run takes, for models with and without a batch axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from oracles.data_inputs import inputs, read, sizes

from nnea_graph.errors import DataError
from nnea_graph.runtime.open_data import open_data


def f32(*shape: int) -> Any:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


CASES = [
    pytest.param("x: float32[batch,2]", {"x": f32(5, 2)}, 5, [3, 2], {"x": (1, 2)}, id="batch-axis"),
    pytest.param("x: float32[1,2]", {"x": f32(5, 2)}, 5, [1] * 5, {"x": (1, 2)}, id="fixed-to-1"),
    pytest.param("x: float32[2,2]", {"x": f32(6, 2)}, 6, [2] * 3, {"x": (2, 2)}, id="fixed-to-2"),
    pytest.param("x: float32[2,2]", {"x": f32(2, 2)}, 2, [2], {"x": (2, 2)}, id="one-run-of-2"),
    pytest.param("x: float32[1,2]", {"x": f32(5, 1, 2)}, 5, [1] * 5, {"x": (1, 2)}, id="samples-axis-ahead"),
    pytest.param("x: float32[time,2]", {"x": f32(9, 2)}, 1, [1], {"x": (9, 2)}, id="no-batch-axis"),
    pytest.param("x: float32[time,2]", {"x": f32(4, 9, 2)}, 4, [1] * 4, {"x": (9, 2)}, id="sequences"),
    pytest.param("x: float32[]", {"x": f32(3)}, 3, [1] * 3, {"x": ()}, id="scalars"),
    pytest.param(
        "x: float32[batch,2]; sr: int64[]",
        {"x": f32(5, 2), "sr": np.array(16000)},
        5,
        [3, 2],
        {"x": (1, 2), "sr": ()},
        id="scalar-for-all",
    ),
    pytest.param(
        "x: float32[batch,2]; h: float32[2,batch,4]",
        {"x": f32(5, 2), "h": f32(2, 5, 4)},
        5,
        [3, 2],
        {"x": (1, 2), "h": (2, 1, 4)},
        id="batch-axis-second",
    ),
    pytest.param(
        "x: float32[batch,2]; h: float32[2,h.1,4]",
        {"x": f32(5, 2), "h": f32(2, 5, 4)},
        5,
        [3, 2],
        {"x": (1, 2), "h": (2, 1, 4)},
        id="nameless-batch-axis",
    ),
    pytest.param(
        "x: float32[batch,2]; h: float32[2,h.1,4]",
        {"x": f32(5, 2), "h": f32(2, 1, 4)},
        5,
        [1] * 5,
        {"x": (1, 2), "h": (2, 1, 4)},
        id="one-state-that-may-be-of-one-sample",
    ),
    pytest.param(
        "x: float32[1,2]; h: float32[2,1,4]",
        {"x": f32(5, 2), "h": f32(2, 1, 4)},
        5,
        [1] * 5,
        {"x": (1, 2), "h": (2, 1, 4)},
        id="fixed-with-a-state-for-all",
    ),
    pytest.param(
        "x: float32[1,2]; h: float32[2,1,4]",
        {"x": f32(5, 2), "h": f32(5, 2, 1, 4)},
        5,
        [1] * 5,
        {"x": (1, 2), "h": (2, 1, 4)},
        id="fixed-with-a-state-each",
    ),
    pytest.param(
        "p: float32[past]; x: float32[batch]", {"p": f32(0), "x": f32(2)}, 2, [2], None, id="empty-past"
    ),
]


@pytest.mark.parametrize(("model", "arrays", "samples", "runs", "shapes"), CASES)
def test_samples_of_a_run(
    model: str,
    arrays: Mapping[str, Any],
    samples: int,
    runs: list[int],
    shapes: dict[str, tuple[int, ...]] | None,
) -> None:
    labeled: dict[str, Any] = {**arrays, "labels": np.arange(samples)}
    data = open_data(labeled, inputs(model))
    assert data.samples == samples
    assert sizes(data, 3) == runs
    assert shapes is None or data.shapes() == shapes
    labels = [label for batch in read(data, 3) for label in batch.labels.tolist()]  # type: ignore[union-attr]
    assert labels == list(range(samples))


@pytest.mark.parametrize(("model", "arrays", "samples", "runs", "shapes"), CASES)
def test_every_array_is_fed_as_the_model_declares_it(
    model: str, arrays: Mapping[str, Any], samples: int, runs: list[int], shapes: Any
) -> None:
    del samples, runs, shapes
    declared = inputs(model)
    for batch in read(open_data(arrays, declared), 3):
        for name, values in batch.feeds.items():
            shape = declared[name].shape
            assert shape is not None
            assert values.ndim == len(shape)
            fits = [
                not isinstance(dim, int) or dim == size for dim, size in zip(shape, values.shape, strict=True)
            ]
            assert all(fits)
            assert values.flags.c_contiguous


def test_rows_go_with_their_states() -> None:
    model = inputs("x: float32[batch,2]; h: float32[2,batch,4]")
    arrays = {"x": f32(5, 2), "h": f32(2, 5, 4)}
    done = 0
    for batch in read(open_data(arrays, model), 2):
        stop = done + batch.samples
        np.testing.assert_array_equal(batch.feeds["x"], arrays["x"][done:stop])
        np.testing.assert_array_equal(batch.feeds["h"], arrays["h"][:, done:stop])
        done = stop


def test_a_limit_is_rounded_down_to_whole_runs() -> None:
    data = open_data({"x": f32(8, 2)}, inputs("x: float32[2,2]"), samples=5)
    assert data.samples == 4
    assert sizes(data) == [2, 2]


def test_a_limit_below_one_run_is_refused() -> None:
    with pytest.raises(DataError, match="takes 2 samples at a time, over --samples 1"):
        open_data({"x": f32(8, 2)}, inputs("x: float32[2,2]"), samples=1)


def test_inputs_that_take_different_numbers_at_a_time_are_refused() -> None:
    with pytest.raises(DataError, match="2 and 3 samples at a time"):
        open_data({"x": f32(6, 2), "z": f32(6, 2)}, inputs("x: float32[2,2]; z: float32[3,2]"))
