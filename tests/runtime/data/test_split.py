"""Parts of the data share no sample, hold all of them, and are the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.engine.data import Data
from nnea_graph.errors import DataError, UsageError
from nnea_graph.graph import DTYPES, TensorInfo
from nnea_graph.runtime.data.split import split
from nnea_graph.runtime.open_data import open_data

FLOAT = next(dtype for dtype in DTYPES.values() if dtype.name == "float32")
BATCHED = {"x": TensorInfo(FLOAT, ("batch", 2))}


def numbered(count: int) -> Data:
    """Sample n is [n, 0], its label n."""
    x = np.stack([np.arange(count), np.zeros(count)], 1).astype(np.float32)
    return open_data({"x": x, "y": np.arange(count)}, BATCHED)


def numbers(part: Data, batch_size: int = 7) -> list[int]:
    found: list[int] = []
    for batch in part.batches(batch_size):
        assert batch.samples == len(batch.feeds["x"]) <= batch_size
        assert batch.labels is not None
        np.testing.assert_array_equal(batch.feeds["x"][:, 0], batch.labels)
        found += batch.labels.tolist()
    return found


def test_every_sample_is_in_one_part() -> None:
    parts = split(numbered(103), (6, 2, 2))
    found = [numbers(part) for part in parts]
    assert sorted(number for part in found for number in part) == list(range(103))
    assert [part.samples for part in parts] == [len(each) for each in found]
    assert [len(each) // 10 for each in found] == [6, 2, 2]


def test_parts_are_spread_over_all_data() -> None:
    """Sorted by class, each part has of every class."""
    for part in split(numbered(1000), (6, 2, 2)):
        share = part.samples / 1000
        for start in range(0, 1000, 100):
            found = sum(start <= number < start + 100 for number in numbers(part))
            assert found == pytest.approx(100 * share, abs=2)


def test_data_that_repeat_with_the_length_of_the_shares_are_spread_as_well() -> None:
    fitted, _, _ = split(numbered(1000), (6, 2, 2))
    assert {number % 10 for number in numbers(fitted)} == set(range(10))


def test_the_split_is_the_same_each_time_whatever_the_batches() -> None:
    one, other = (split(numbered(50), (3, 1))[0] for _ in range(2))
    assert numbers(one, 1) == numbers(other, 50) == numbers(one, 4)


def test_another_seed_is_another_split() -> None:
    one, other = (split(numbered(50), (3, 1), seed)[0] for seed in (0, 1))
    assert numbers(one) != numbers(other)


@pytest.mark.parametrize("count", [3, 4, 9])
def test_few_samples_leave_no_part_empty(count: int) -> None:
    assert all(numbers(part) for part in split(numbered(count), (6, 2, 2)))


def test_too_few_samples_are_an_error() -> None:
    with pytest.raises(DataError, match=r"^arrays is 2 runs of the model; give at least 3"):
        split(numbered(2), (6, 2, 2))


def test_runs_of_a_model_that_takes_a_fixed_number_stay_whole() -> None:
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    parts = split(open_data({"x": x}, {"x": TensorInfo(FLOAT, (4, 2))}), (1, 1))
    runs = [[int(batch.feeds["x"][0, 0]) for batch in part.batches(8)] for part in parts]
    assert sorted(number for part in runs for number in part) == [0, 8, 16, 24, 32]
    assert all(batch.feeds["x"].shape == (4, 2) for part in parts for batch in part.batches(8))
    assert sum(part.samples for part in parts) == 20


def test_samples_along_another_axis_are_joined_there() -> None:
    inputs = {"x": TensorInfo(FLOAT, (3, "batch")), "t": TensorInfo(FLOAT, (2,))}
    x = np.arange(30, dtype=np.float32).reshape(3, 10)
    data = open_data({"x": x, "t": np.ones(2, np.float32)}, inputs)
    found = [batch for part in split(data, (1, 1)) for batch in part.batches(20)]
    assert all(batch.feeds["x"].shape == (3, batch.samples) for batch in found)
    assert all(batch.feeds["t"].shape == (2,) for batch in found)
    assert sorted(np.concatenate([batch.feeds["x"][0] for batch in found])) == list(range(10))


def test_a_batch_of_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="--batch-size 0"):
        next(split(numbered(10), (1, 1))[0].batches(0))
