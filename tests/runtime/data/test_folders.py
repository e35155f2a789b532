from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracles.data_inputs import inputs, joined, read, sizes

from nnea_graph.errors import DataError
from nnea_graph.runtime.open_data import open_data

X = inputs("x: float32[batch,2]")


def row(value: float, count: int = 1) -> Any:
    return np.full((count, 2), value, np.float32)


def test_files_are_joined_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        np.save(tmp_path / f"s{number}.npy", row(number, 3))
    data = open_data(str(tmp_path), X)
    assert data.samples == 9
    assert sizes(data) == [4, 4, 1]
    assert joined(data, "x")[:, 0].tolist() == [1, 1, 1, 2, 2, 2, 10, 10, 10]


@pytest.mark.parametrize("model", ["x: float32[batch,2]", "x: float32[1,2]"])
def test_a_file_may_be_one_sample_without_an_axis_for_samples(tmp_path: Path, model: str) -> None:
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", row(number)[0])
    data = open_data(str(tmp_path), inputs(model))
    assert data.samples == 3
    assert joined(data, "x")[:, 0].tolist() == [0, 1, 2]


def test_npz_files_have_labels_each(tmp_path: Path) -> None:
    for number in range(3):
        np.savez(tmp_path / f"{number}.npz", x=row(number, 2), y=np.full(2, number))
    batches = read(open_data(str(tmp_path), X), 4)
    assert [batch.labels.tolist() for batch in batches if batch.labels is not None] == [[0, 0, 1, 1], [2, 2]]


def test_an_npz_of_one_sample_has_a_scalar_for_a_label(tmp_path: Path) -> None:
    for number in range(3):
        np.savez(tmp_path / f"{number}.npz", x=row(number)[0], label=number)
    (batch,) = read(open_data(str(tmp_path), X), 4)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1, 2]


def test_one_file_an_input_is_one_set_of_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", row(1, 3))
    np.save(tmp_path / "b.npy", row(2, 3))
    np.save(tmp_path / "labels.npy", np.arange(3))
    (batch,) = read(open_data(str(tmp_path), inputs("a: float32[batch,2]; b: float32[batch,2]")))
    assert (batch.feeds["a"][0, 0], batch.feeds["b"][0, 0]) == (1, 2)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1, 2]


def test_a_labels_file_is_for_all_files(tmp_path: Path) -> None:
    for number in range(2):
        np.save(tmp_path / f"s{number}.npy", row(number, 2))
    np.save(tmp_path / "labels.npy", np.array([4, 5, 6, 7]))
    batches = read(open_data(str(tmp_path), X), 3)
    assert [batch.labels.tolist() for batch in batches if batch.labels is not None] == [[4, 5, 6], [7]]
    np.save(tmp_path / "labels.npy", np.array([4, 5, 6]))
    with pytest.raises(DataError, match=r"3 labels \(labels.npy\) for 4 samples"):
        open_data(str(tmp_path), X)


def test_samples_of_different_shape_are_in_different_batches(tmp_path: Path) -> None:
    for number, length in enumerate([3, 3, 5, 5, 3]):
        np.save(tmp_path / f"{number}.npy", np.zeros((1, length), np.float32))
    data = open_data(str(tmp_path), inputs("x: float32[batch,time]"))
    assert [batch.feeds["x"].shape for batch in read(data, 4)] == [(2, 3), (2, 5), (1, 3)]


def test_labels_in_only_some_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=row(0), y=np.array([1]))
    np.savez(tmp_path / "1.npz", x=row(1))
    with pytest.raises(DataError, match=r"0\.npz has labels and .*1\.npz has none"):
        read(open_data(str(tmp_path), X))


def save_set(folder: Path, *arrays: Any, names: tuple[str, ...] = ()) -> None:
    folder.mkdir(parents=True)
    for number, array in enumerate(arrays):
        tensor = numpy_helper.from_array(array, names[number] if names else None)
        (folder / f"input_{number}.pb").write_bytes(tensor.SerializeToString())
    output = numpy_helper.from_array(np.zeros(3), "out")
    (folder / "output_0.pb").write_bytes(output.SerializeToString())


TWO = inputs("a: float32[batch,2]; n: int64[batch]")


def test_data_sets_are_read_by_number(tmp_path: Path) -> None:
    for number in (10, 9):
        save_set(tmp_path / f"test_data_set_{number}", row(number), np.array([number]))
    data = open_data(str(tmp_path), TWO)
    assert joined(data, "n").tolist() == [9, 10]
    assert open_data(str(tmp_path / "test_data_set_9"), TWO).samples == 1


def test_tensors_of_a_data_set_that_carry_the_inputs_names_go_by_them(tmp_path: Path) -> None:
    save_set(tmp_path / "s", np.array([7]), row(1), names=("n", "a"))
    assert joined(open_data(str(tmp_path / "s"), TWO), "n").tolist() == [7]


def test_eleven_inputs_of_a_data_set_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    save_set(tmp_path / "s", *(row(number) for number in range(11)))
    eleven = inputs(";".join(f"i{number}: float32[batch,2]" for number in range(11)))
    (batch,) = read(open_data(str(tmp_path / "s"), eleven))
    assert [feed[0, 0] for feed in batch.feeds.values()] == list(range(11))


def _external() -> bytes:
    tensor = TensorProto(data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    raw: bytes = tensor.SerializeToString()
    return raw


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"\xff\xff\xff", "is no tensor", id="noise"),
        pytest.param(_external(), "in another file", id="external"),
        pytest.param(
            helper.make_tensor("a", 1, [1, 3], [1, 2, 3]).SerializeToString(), "dim 1 must be 2", id="dims"
        ),
        pytest.param(
            TensorProto(data_type=1, dims=[1, 2], raw_data=b"1234").SerializeToString(),
            "no tensor",
            id="short",
        ),
        pytest.param(TensorProto(data_type=99, dims=[1]).SerializeToString(), "no tensor", id="type"),
        pytest.param(b"", "no tensor", id="nothing"),
    ],
)
def test_a_data_set_that_does_not_fit_is_one_line(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "input_0.pb").write_bytes(raw)
    with pytest.raises(DataError, match=message):
        open_data(str(tmp_path), X)


def test_a_data_set_with_too_few_inputs_is_refused(tmp_path: Path) -> None:
    save_set(tmp_path / "s", row(1))
    with pytest.raises(DataError, match=r"has 1 inputs, the model 2 \(a, n\)"):
        open_data(str(tmp_path / "s"), TWO)
