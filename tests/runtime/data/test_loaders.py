from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from oracles.data_inputs import inputs, joined, read, sizes
from torch.utils.data import DataLoader, TensorDataset

from nnea_graph.errors import DataError
from nnea_graph.runtime.open_data import open_data

X = inputs("x: float32[batch,2]")
TWO = inputs("a: float32[batch,2]; n: int64[batch]")
ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)


def loader_file(folder: Path, body: str) -> str:
    (folder / "mine.py").write_text(f"import numpy as np\n{body}")
    return f"{folder / 'mine.py'}:load"


BODIES = [
    pytest.param(
        "def load():\n  for i in range(3):\n    yield {'x': np.full((2, 2), i, 'f4'), 'labels': [i, i]}",
        id="yields-dicts",
    ),
    pytest.param(
        "def load():\n  for i in range(3):\n    yield np.full((2, 2), i, 'f4'), np.array([i, i])",
        id="yields-pairs",
    ),
    pytest.param(
        "def load():\n  for i in range(3):\n    yield {'x': np.full((2, 2), i, 'f4')}, [i, i]",
        id="dict-and-labels",
    ),
    pytest.param(
        "def load():\n  return [(np.full((2, 2), i, 'f4'), [i, i]) for i in range(3)]", id="returns-a-list"
    ),
    pytest.param(
        "def load():\n  return {'x': np.repeat(np.arange(3), 2).repeat(2).reshape(6, 2).astype('f4'),"
        " 'y': np.repeat(np.arange(3), 2)}",
        id="returns-arrays",
    ),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_function_of_a_file_gives_batches(tmp_path: Path, body: str) -> None:
    data = open_data(loader_file(tmp_path, body), X)
    assert data.shapes() == {"x": (1, 2)}
    assert data.labeled
    for _ in range(2):
        assert sizes(data, 4) == [4, 2]
        assert joined(data, "x")[:, 0].tolist() == [0, 0, 1, 1, 2, 2]
        labels = [batch.labels.tolist() for batch in read(data, 4) if batch.labels is not None]
        assert labels == [[0, 0, 1, 1], [2, 2]]


def test_the_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_the_loader.py").write_text("VALUE = 3.0\n")
    body = "import beside_the_loader as b\ndef load():\n  yield np.full((1, 2), b.VALUE, 'f4')"
    assert joined(open_data(loader_file(tmp_path, body), X), "x").tolist() == [[3, 3]]


def test_only_as_much_as_asked_for_is_taken_from_a_loader_without_end() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield ROWS

    data = open_data(endless, X, samples=10)
    assert data.samples is None
    assert sizes(data, 4) == [4, 4, 2]


def test_without_a_number_a_generator_is_read_up_to_a_stated_one() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield np.zeros((999, 2), np.float32)

    data = open_data(endless, X)
    assert "at most 10,000 samples" in data.source
    assert sum(sizes(data, 4_000)) == 10_000


def test_what_tells_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    body = "def load():\n  return [np.zeros((6_000, 2), 'f4')] * 2"
    assert sum(sizes(open_data(loader_file(tmp_path, body), X), 6_000)) == 12_000
    loader = DataLoader(TensorDataset(torch.zeros(12_000, 2)), batch_size=6_000)
    assert sum(sizes(open_data(loader, X), 6_000)) == 12_000


def test_what_the_users_code_prints_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        "print('at import')\ndef load():\n  print('first')\n  yield np.zeros((1, 2), 'f4')\n  print('last')"
    )
    read(open_data(loader_file(tmp_path, body), X))
    found = capsys.readouterr()
    assert found.out == ""
    assert set(found.err.split("\n")) == {"at import", "first", "last", ""}


LOADER_FAULTS = [
    pytest.param(
        "def load():\n  yield {'z': np.zeros((2, 3), 'f4')}", r"batch 0: .*dim 1 must be 2", id="dims"
    ),
    pytest.param("def load():\n  yield 'text'", "yields str; wanted are dicts", id="text"),
    pytest.param("def load():\n  yield [np.zeros(1)] * 5", "gives 5 arrays for 1 inputs", id="many"),
    pytest.param("def load():\n  return 5", "gives int; it should yield", id="number"),
    pytest.param("def load():\n  yield {'x': [[1, 2], [3]]}", "is no array", id="ragged"),
    pytest.param("def load():\n  yield {'x': np.array([None])}", "Python objects", id="objects"),
    pytest.param("def load():\n  raise KeyError('path\\nlost')", "load fails: KeyError", id="raises"),
    pytest.param("def load(path):\n  yield 1", "load fails: TypeError", id="wants-arguments"),
    pytest.param("def load(:", "mine.py fails: SyntaxError", id="syntax"),
    pytest.param("load = 3", "has no function 'load'", id="no-function"),
    pytest.param("def load():\n  yield from ()", "holds no samples", id="nothing"),
    pytest.param(
        "def load():\n  yield np.zeros((1, 2), 'f4')\n  raise ValueError('later')",
        "fails: ValueError: later",
        id="later",
    ),
    pytest.param("import sys\nsys.exit(0)", "fails: SystemExit: 0", id="exits-at-import"),
    pytest.param("import sys\ndef load():\n  sys.exit(0)", "fails: SystemExit: 0", id="exits"),
    pytest.param(
        "import sys\ndef load():\n  yield np.zeros((1, 2), 'f4')\n  sys.exit()",
        "fails: SystemExit",
        id="exits-later",
    ),
    pytest.param(
        "def load():\n  yield np.zeros((1, 2), 'f4')\n  raise GeneratorExit",
        "fails: GeneratorExit",
        id="generator-exit",
    ),
]


@pytest.mark.parametrize(("body", "message"), LOADER_FAULTS)
def test_a_fault_of_the_users_code_is_one_line(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(open_data(loader_file(tmp_path, body), X))
    assert "\n" not in str(caught.value)


def test_a_generator_that_can_run_only_once_is_refused() -> None:
    with pytest.raises(DataError, match="only once; give the function that makes it"):
        open_data((ROWS for _ in range(2)), X)


def test_a_torch_loader_is_read_each_time_anew() -> None:
    labels = torch.arange(7)
    loader = DataLoader(TensorDataset(torch.from_numpy(ROWS), labels), batch_size=3)
    data = open_data(loader, X)
    for size in (2, 7):
        np.testing.assert_array_equal(joined(data, "x", size), ROWS)
    assert [label for batch in read(data) for label in batch.labels.tolist()] == list(range(7))  # type: ignore[union-attr]


def test_a_torch_loader_of_two_inputs_is_no_input_with_labels() -> None:
    loader = DataLoader(TensorDataset(torch.from_numpy(ROWS), torch.arange(7)), batch_size=3)
    data = open_data(loader, TWO)
    assert not data.labeled
    assert joined(data, "n").tolist() == list(range(7))


def test_a_tensor_with_gradients_is_an_array() -> None:
    data = open_data({"x": torch.from_numpy(ROWS).requires_grad_()}, X)
    np.testing.assert_array_equal(joined(data, "x"), ROWS)


class EagerTensor:
    """What a tensor of TensorFlow can do that matters here."""

    def __init__(self, values: Any) -> None:
        self._values = values
        self.shape = values.shape

    def numpy(self) -> Any:
        return self._values


def test_tensors_that_only_have_numpy_are_arrays() -> None:
    class Dataset:
        def __iter__(self) -> Iterator[Any]:
            yield EagerTensor(ROWS), EagerTensor(np.arange(7))

    data = open_data(Dataset(), X)
    np.testing.assert_array_equal(joined(data, "x"), ROWS)
    assert data.labeled


def test_one_array_feeds_the_only_input() -> None:
    assert open_data(ROWS, X).samples == 7
    with pytest.raises(DataError, match=r"gives 1 arrays for 2 inputs \(a, n\)"):
        open_data(ROWS, TWO)


def test_float64_becomes_float32_and_bool_becomes_int() -> None:
    (batch,) = read(open_data({"a": ROWS.astype(np.float64), "n": np.ones(7, bool)}, TWO), 7)
    assert [str(values.dtype) for values in batch.feeds.values()] == ["float32", "int64"]


def test_strings_come_as_objects_that_onnxruntime_takes() -> None:
    (batch,) = read(open_data({"s": np.array([b"a", "ä".encode()])}, inputs("s: string[batch]")))
    assert batch.feeds["s"].tolist() == ["a", "ä"]
    assert batch.feeds["s"].dtype == object


def test_bfloat16_in_an_npy_keeps_its_bits(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    np.save(tmp_path / "d.npy", values.view("V2"))
    (batch,) = read(open_data(str(tmp_path / "d.npy"), inputs("x: bfloat16[batch]")))
    assert batch.feeds["x"].astype(np.float32).tolist() == [1.5, -2.0]


def test_a_tuple_of_arrays_is_inputs_and_labels_while_a_list_holds_batches() -> None:
    numbers = np.arange(7)
    data = open_data((torch.from_numpy(ROWS), torch.from_numpy(numbers)), X)
    assert joined(data, "x").tolist() == ROWS.tolist()
    labels = [batch.labels.tolist() for batch in read(data, 4) if batch.labels is not None]
    assert labels == [[0, 1, 2, 3], [4, 5, 6]]
    assert joined(open_data([ROWS[:3], ROWS[3:]], X), "x").tolist() == ROWS.tolist()
    two = open_data((ROWS, numbers, numbers), TWO)
    assert joined(two, "n").tolist() == numbers.tolist()
    assert two.labeled
