from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.data_inputs import inputs, read, save_objects

from nnea_graph.errors import DataError, UsageError
from nnea_graph.runtime.open_data import open_data

IMAGE = "x: float32[batch,1,2,2]"
TOKENS = "ids: int32[batch,sequence]; mask: int64[batch,sequence]"
GOOD = np.zeros((4, 1, 2, 2), np.float32)
IDS = np.ones((2, 3), np.int32)


def _with(values: Any, at: tuple[int, ...], value: Any) -> Any:
    changed = np.array(values)
    changed[at] = value
    return changed


REFUSALS = [
    pytest.param(
        TOKENS,
        {"ids": IDS, "wrong": IDS},
        r"no array for input 'mask', which wants int64 \[batch, sequence\]; it holds 'ids' int32 \[2, 3\]",
        id="one-name-wrong",
    ),
    pytest.param(
        IMAGE,
        {"a": GOOD, "b": GOOD},
        r"no array for input 'x', which wants float32 \[batch, 1, 2, 2\]; it holds 'a' float32",
        id="more-arrays-than-inputs",
    ),
    pytest.param(
        IMAGE, {"z": GOOD[0, 0]}, r"no array for input 'x'.*'z' float32 \[2, 2\]", id="name-and-rank"
    ),
    pytest.param(
        IMAGE,
        {"x": GOOD[0]},
        r"input 'x' wants float32 \[batch, 1, 2, 2\] and is given .*'x', float32 \[1, 2, 2\]: 4 dims are needed, not 3",
        id="rank-too-low",
    ),
    pytest.param(IMAGE, {"x": GOOD[None]}, "4 dims are needed, not 5", id="rank-too-high"),
    pytest.param(IMAGE, {"x": GOOD[:, :, :1]}, r"float32 \[4, 1, 1, 2\]: dim 2 must be 2", id="dim"),
    pytest.param(
        "x: float32[4,3]", {"x": GOOD.reshape(16)[:15].reshape(5, 3)}, "takes 4 at a time", id="no-multiple"
    ),
    pytest.param(
        "ids: int64[batch,3]",
        {"ids": IDS.astype(np.float32)},
        r"input 'ids' .*wants int64 and is given float32; .*astype\('int64'\)",
        id="float-into-int",
    ),
    pytest.param(
        IMAGE, {"x": GOOD.astype(np.uint8)}, r"wants float32 and is given uint8.*--preprocess", id="uint8"
    ),
    pytest.param(IMAGE, {"x": GOOD.astype(np.complex64)}, "is given complex64; save it as", id="complex"),
    pytest.param(IMAGE, {"x": GOOD.astype("U1")}, "wants float32 and is given <U1", id="text"),
    pytest.param(
        "s: string[batch]", {"s": np.zeros(3, np.float32)}, "wants string and is given float32", id="no-text"
    ),
    pytest.param(
        IMAGE,
        {"x": _with(GOOD, (2, 0, 1, 0), np.nan)},
        r"input 'x' .*1 values are NaN or infinite \(first nan at \[2, 0, 1, 0\]\)",
        id="nan",
    ),
    pytest.param(IMAGE, {"x": _with(GOOD, (0, 0, 0, 0), -np.inf)}, "first -inf", id="inf"),
    pytest.param(
        IMAGE,
        {"x": _with(GOOD.astype(np.float64), (0, 0, 0, 0), 1e300)},
        "too large for float32",
        id="overflow",
    ),
    pytest.param(
        "ids: int32[batch]",
        {"ids": np.array([0, 2**40])},
        r"wants int32 \(-2147483648 to 2147483647\) and is given 0 to 1099511627776",
        id="range",
    ),
    pytest.param("ids: uint8[batch]", {"ids": np.array([-1, 3])}, "is given -1 to 3", id="sign"),
    pytest.param(
        "m: bool[batch]", {"m": np.array([0, 1, 2])}, r"true or false .*given 2 at \[2\]", id="bool"
    ),
    pytest.param(
        IMAGE, {"x": _with(GOOD.astype(int), (0, 0, 0, 0), 2**25)}, "33554432 .*no exact float32", id="exact"
    ),
    pytest.param(IMAGE, {"x": GOOD[:0]}, "holds no samples", id="no-samples"),
    pytest.param(
        TOKENS,
        {"ids": IDS, "mask": np.ones((3, 3), np.int64)},
        "inputs differ in their number of samples: 2 in input 'ids' .*, 3 in input 'mask'",
        id="counts",
    ),
    pytest.param(
        TOKENS,
        {"ids": IDS, "mask": np.ones((2, 4), np.int64)},
        "dim 'sequence' is 3 in input 'ids' .* and 4 in input 'mask'",
        id="symbol",
    ),
    pytest.param(IMAGE, {"x": GOOD, "labels": np.arange(3)}, "3 labels .* for 4 samples", id="label-count"),
    pytest.param(
        IMAGE, {"x": GOOD, "y": np.ones((4, 4))}, r"hold float64\[4, 4\].*a class number", id="many-hot"
    ),
    pytest.param(IMAGE, {"x": GOOD, "y": np.full(4, 0.5)}, "hold 0.5", id="half-a-class"),
    pytest.param(IMAGE, {"x": GOOD, "y": np.full(4, "cat")}, "labels of type <U3", id="class-names"),
]


@pytest.mark.parametrize(("model", "arrays", "message"), REFUSALS)
@pytest.mark.parametrize("kind", ["arrays", "npz"])
def test_data_that_does_not_fit_is_one_line_of_exit_2(
    tmp_path: Path, model: str, arrays: dict[str, Any], message: str, kind: str
) -> None:
    spec: Any = arrays
    if kind == "npz":
        np.savez(tmp_path / "d.npz", **arrays)
        spec = str(tmp_path / "d.npz")
    with pytest.raises(DataError, match=message) as caught:
        read(open_data(spec, inputs(model)))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def _fifo(path: Path) -> None:
    os.mkfifo(path / "d.npz")


def _nothing(path: Path) -> None:
    assert path.is_dir()


FILES = [
    pytest.param("d.npz", lambda path: save_objects(path / "d.npz"), "pickled Python objects", id="pickle"),
    pytest.param("d.npz", lambda path: np.savez(path / "d.npz"), "holds no arrays", id="empty-npz"),
    pytest.param("d.npz", lambda path: (path / "d.npz").write_bytes(b""), "no whole .npz", id="no-bytes"),
    pytest.param("d.npy", lambda path: (path / "d.npy").write_bytes(b"x" * 99), "no numpy array", id="noise"),
    pytest.param("d.npz", _nothing, "there is no such file", id="nothing"),
    pytest.param("d.npz", _fifo, "wanted is .npz", id="fifo"),
    pytest.param("d.csv", lambda path: (path / "d.csv").write_text("1"), "wanted is .npz", id="csv"),
    pytest.param(
        "d.npy",
        lambda path: np.save(path / "d.npy", np.zeros(3, [("a", "f4"), ("b", "f4")])),
        "wants float32",
        id="fields",
    ),
    pytest.param("", _nothing, "holds no .npz", id="empty-folder"),
    pytest.param("gone.py:load", _nothing, "there is no file", id="no-loader"),
]


@pytest.mark.parametrize(("name", "make", "message"), FILES)
def test_a_file_that_is_no_data_is_one_line(tmp_path: Path, name: str, make: Any, message: str) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        read(open_data(str(tmp_path / name), inputs("x: float32[batch]")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dims", ["(1000000000000,)", "(-1,)", "(1,2", "(2,)*9"])
def test_an_npy_whose_header_lies_is_refused_without_memory(tmp_path: Path, dims: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {dims}, }}\n".encode()
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "d.npy").write_bytes(raw + bytes(8))
    with pytest.raises(DataError):
        open_data(str(tmp_path / "d.npy"), inputs("x: float32[batch]"))


def test_a_model_without_inputs_takes_no_data() -> None:
    with pytest.raises(DataError, match="takes no inputs"):
        open_data({"x": GOOD}, {})


def test_one_array_is_not_enough_for_two_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", IDS)
    with pytest.raises(DataError, match=r"one array, but the model takes ids, mask; give an \.npz"):
        open_data(str(tmp_path / "d.npy"), inputs(TOKENS))


@pytest.mark.parametrize(
    "options", [{"samples": 0}, {"preprocess": "sise=3"}, {"preprocess": "size=3,std=0"}]
)
def test_an_option_that_cannot_be_meant_is_a_usage_error(options: Any) -> None:
    with pytest.raises(UsageError):
        open_data({"x": GOOD}, inputs(IMAGE), **options)


def test_a_batch_of_no_samples_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--batch-size 0"):
        open_data({"x": GOOD}, inputs(IMAGE)).batches(0)
