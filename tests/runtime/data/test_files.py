from __future__ import annotations

import gc
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.data_inputs import inputs, joined, read, sizes

from nnea_graph.errors import DataError
from nnea_graph.runtime.open_data import open_data

X = inputs("x: float32[batch,1,2,2]")
VALUES = np.arange(40, dtype=np.float32).reshape(10, 1, 2, 2)
Save = Callable[..., Any]


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "deflated"])
def save(request: pytest.FixtureRequest) -> Save:
    found: Save = request.param
    return found


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_an_npz_gives_its_samples_in_order_whatever_the_batch(
    tmp_path: Path, save: Save, batch_size: int
) -> None:
    save(tmp_path / "d.npz", x=VALUES, labels=np.arange(10))
    data = open_data(str(tmp_path / "d.npz"), X)
    assert (data.samples, data.labeled, data.synthetic) == (10, True, False)
    assert data.source == str(tmp_path / "d.npz")
    assert data.shapes() == {"x": (1, 1, 2, 2)}
    for _ in range(2):
        np.testing.assert_array_equal(joined(data, "x", batch_size), VALUES)
        labels = np.concatenate([batch.labels for batch in read(data, batch_size)])
        np.testing.assert_array_equal(labels, np.arange(10))
        assert labels.dtype == np.int64
    assert sizes(data, batch_size)[0] == min(batch_size, 10)


def test_arrays_of_other_names_are_taken_by_position(tmp_path: Path) -> None:
    both = inputs("a: int64[batch,3]; b: float32[batch]")
    np.savez(tmp_path / "d.npz", np.ones((2, 3), np.int64), np.zeros(2, np.float32))
    (batch,) = read(open_data(str(tmp_path / "d.npz"), both))
    assert batch.feeds["a"].shape == (2, 3)
    assert batch.feeds["b"].shape == (2,)


def test_an_array_that_no_input_has_the_name_of_is_left_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", ids=np.arange(3), x=VALUES)
    assert list(read(open_data(str(tmp_path / "d.npz"), X))[0].feeds) == ["x"]


def test_an_input_named_y_is_no_label(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", y=VALUES)
    data = open_data(str(tmp_path / "d.npz"), inputs("y: float32[batch,1,2,2]"))
    assert not data.labeled
    np.testing.assert_array_equal(joined(data, "y"), VALUES)


def test_labels_in_a_column_are_flattened(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=VALUES, y=np.arange(10.0)[:, None])
    (batch,) = read(open_data(str(tmp_path / "d.npz"), X), 10)
    assert batch.labels is not None
    assert batch.labels.tolist() == list(range(10))


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_feeds_the_only_input(tmp_path: Path, order: Any) -> None:
    np.save(tmp_path / "d.npy", np.asarray(VALUES.astype(">f8"), order=order))
    data = open_data(str(tmp_path / "d.npy"), X)
    np.testing.assert_array_equal(joined(data, "x", 3), VALUES)
    assert joined(data, "x").dtype == np.float32


def test_columns_first_in_an_npz_read_as_rows(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "d.npz", x=np.asfortranarray(VALUES))
    np.testing.assert_array_equal(joined(open_data(str(tmp_path / "d.npz"), X), "x"), VALUES)


def test_samples_limits_to_the_first(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", VALUES)
    data = open_data(str(tmp_path / "d.npy"), X, samples=7)
    assert data.samples == 7
    assert sizes(data) == [4, 3]
    np.testing.assert_array_equal(joined(data, "x"), VALUES[:7])


def _bytes_for(action: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
def test_of_ten_gigabytes_only_the_samples_asked_for_are_read(tmp_path: Path, order: str) -> None:
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": order == "F", "shape": (160_000_000, 1, 4, 4)}
        )
        file.truncate(file.tell() + 160_000_000 * 64)  # sparse: takes no room on the disk
    image = inputs("x: float32[batch,1,4,4]")

    def first_batches() -> None:
        data = open_data(str(path), image, samples=64)
        assert sizes(data, 16) == [16] * 4

    assert _bytes_for(first_batches) < 8 << 20


def test_an_npz_is_read_a_batch_at_a_time(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "d.npz", x=np.zeros((4000, 1, 64, 64), np.float32))  # 64 MiB
    data = open_data(str(tmp_path / "d.npz"), inputs("x: float32[batch,1,64,64]"))
    assert _bytes_for(lambda: sum(batch.samples for batch in data.batches(16))) < 8 << 20


def test_a_member_that_is_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VALUES)
    whole = (tmp_path / "x.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", whole[:-16])
    with pytest.raises(DataError, match=r"array 'x' is float32\[10, 1, 2, 2\], 160 bytes, but 144 are there"):
        open_data(str(tmp_path / "d.npz"), X)


def test_a_damaged_npz_is_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez_compressed(tmp_path / "d.npz", x=rng.random((50, 1, 2, 2), np.float32))
    whole = bytearray((tmp_path / "d.npz").read_bytes())
    lines = []
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0x5A
        (tmp_path / "e.npz").write_bytes(damaged)
        try:
            read(open_data(str(tmp_path / "e.npz"), X))
        except DataError as error:
            lines.append(str(error))
    assert len(lines) > len(whole) // 6
    assert not any("\n" in line for line in lines)
