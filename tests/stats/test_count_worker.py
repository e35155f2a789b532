"""Other processes that count: the same numbers, whatever happens to them."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from nnea_graph.errors import ModelError
from nnea_graph.frontends.protobuf.payloads import FilePayload
from nnea_graph.frontends.protobuf.random_access_file import DataFile
from nnea_graph.graph import Constant, Region
from nnea_graph.graph.constants import CHUNK, constant_of
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.stats import Accumulator, accumulate, measure
from nnea_graph.stats import parallel_count as sharing
from nnea_graph.stats.count_worker import Worker, serve
from nnea_graph.stats.parallel_count import measure_each

PIECE = 2 * CHUNK
SIZE = 5 * CHUNK + 12_347
OFFSET = 12


def parts(acc: Accumulator) -> tuple[Any, ...]:
    numbers = (acc.finite, acc.zeros, acc.nan, acc.inf, acc.min, acc.max, acc.below)
    return *numbers, acc.cells.low, acc.cells.table.tolist()


def values(seed: int, size: int = SIZE) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    found = (rng.standard_normal(size) * np.exp(rng.standard_normal(size) * 3)).astype(np.float32)
    found[:: 97 + seed] = 0
    found[5::100_001] = [np.nan, np.inf, 1e-42][seed % 3]
    return found


def stored(folder: Path, raw: bytes, dtype: str, size: int, name: str = "w") -> Constant:
    """A constant in a file, behind some other bytes."""
    path = folder / f"{name}.bin"
    path.write_bytes(bytes(OFFSET) + raw)
    payload = FilePayload(DataFile(os.open(path, os.O_RDONLY), name), OFFSET, BY_NAME[dtype])
    return Constant(name, BY_NAME[dtype], (size,), payload, len(raw))


def layers(folder: Path) -> list[Constant]:
    """Three in files, one in memory between them."""
    files = [stored(folder, values(seed).tobytes(), "float32", SIZE, f"w{seed}") for seed in range(3)]
    return [*files[:2], constant_of("m", values(3, 5000), BY_NAME["float32"]), files[2]]


@dataclass
class Watch:
    """What workers did; the main process waits for their first answer, or it would be done before."""

    workers: list[Worker]
    answers: int
    first: threading.Event

    def load(self, constant: Constant) -> Constant:
        assert self.first.wait(60)
        return constant


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Makes small constants worth a process, and several CPUs."""
    found = Watch([], 0, threading.Event())

    class Watched(Worker):
        def __init__(self, descriptors: Any) -> None:
            super().__init__(descriptors)
            found.workers.append(self)

        def answer(self) -> Accumulator:
            try:
                result = super().answer()
                found.answers += 1
            finally:
                found.first.set()
            return result

    monkeypatch.setattr(sharing, "Worker", Watched)
    monkeypatch.setattr(sharing, "_cpus", lambda: 4)
    for name, value in {"WORTH": CHUNK, "PIECE": PIECE, "SMALLEST": CHUNK}.items():
        monkeypatch.setattr(sharing, name, value)
    return found


def counted(constants: list[Constant], processes: int, load: Callable[[Constant], Constant]) -> list[Any]:
    found: dict[int, Any] = {}

    def finish(index: int, acc: Accumulator) -> None:
        assert index not in found
        found[index] = parts(acc)

    measure_each(constants, finish, processes, load)
    return [found[index] for index in range(len(constants))]


def alone(constants: list[Constant]) -> list[Any]:
    return [parts(measure(constant)) for constant in constants]


def ended(worker: Worker) -> bool:
    return worker._process.returncode is not None


@pytest.mark.parametrize("processes", [2, 3])
def test_shared_counts_are_those_of_one_process(tmp_path: Path, watch: Watch, processes: int) -> None:
    constants = layers(tmp_path)
    assert counted(constants, processes, watch.load) == alone(constants)
    assert len(watch.workers) == processes - 1
    assert watch.answers
    assert all(map(ended, watch.workers))


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype"),
    [
        ("float64", np.float64),
        ("float16", np.float16),
        ("bfloat16", ml_dtypes.bfloat16),
        ("int8", np.int8),
        ("int32", np.int32),
    ],
)
def test_any_type_is_counted_as_here(tmp_path: Path, watch: Watch, dtype: str, numpy_dtype: type) -> None:
    raw = np.nan_to_num(values(0)).clip(-100, 100).astype(numpy_dtype).tobytes()
    constants = [stored(tmp_path, raw, dtype, SIZE)]
    assert counted(constants, 2, watch.load) == alone(constants)
    assert watch.answers


@pytest.mark.parametrize("dtype", ["int4", "uint2", "float6e2m3"])
def test_numbers_that_share_bytes_are_counted_as_here(tmp_path: Path, watch: Watch, dtype: str) -> None:
    raw = np.random.default_rng(0).bytes(BY_NAME[dtype].nbytes(SIZE))
    constants = [stored(tmp_path, raw, dtype, SIZE)]
    assert counted(constants, 2, watch.load) == alone(constants)
    assert watch.answers


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_what_a_killed_worker_leaves_is_done_here(tmp_path: Path, watch: Watch, answers: int) -> None:
    constants = layers(tmp_path)

    def load(constant: Constant) -> Constant:
        if watch.answers >= answers:
            os.kill(watch.workers[0].pid, signal.SIGKILL)
        return watch.load(constant)

    assert counted(constants, 2, load) == alone(constants)


@pytest.mark.parametrize(
    "python", ["", "/nowhere/python", "/bin/false", "/bin/echo"], ids=lambda path: path or "none"
)
def test_without_a_working_python_all_is_done_here(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    constants = layers(tmp_path)
    assert counted(constants, 2, lambda constant: constant) == alone(constants)
    assert not watch.answers


def test_an_error_here_ends_the_workers(tmp_path: Path, watch: Watch) -> None:
    def finish(_index: int, _acc: Accumulator) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        measure_each(layers(tmp_path), finish, 3)
    assert threading.active_count() == before
    assert len(watch.workers) == 2
    assert all(map(ended, watch.workers))


def test_a_file_cut_short_is_an_error_of_the_model(tmp_path: Path, watch: Watch) -> None:
    constants = layers(tmp_path)
    os.truncate(tmp_path / "w2.bin", 100)
    with pytest.raises(ModelError, match="w2 became shorter while it was read"):
        counted(constants, 2, watch.load)
    assert all(map(ended, watch.workers))


def test_few_elements_start_no_process(tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = layers(tmp_path)
    monkeypatch.setattr(sharing, "WORTH", 4 * SIZE)
    assert counted(constants, 2, lambda constant: constant) == alone(constants)
    assert not watch.workers


def test_files_that_are_opened_for_each_read_stay_here(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(values(0).tobytes())

    def opened() -> int:
        return os.open(path, os.O_RDONLY)

    payload = FilePayload(DataFile(opened(), "w", opened), 0, BY_NAME["float32"])
    constants = [Constant("w", BY_NAME["float32"], (SIZE,), payload, 4 * SIZE)]
    assert payload.region() is None
    assert counted(constants, 2, lambda constant: constant) == alone(constants)
    assert not watch.workers


@pytest.fixture
def region(tmp_path: Path) -> Region:
    payload = stored(tmp_path, values(1).tobytes(), "float32", SIZE).payload
    assert isinstance(payload, FilePayload)
    found = payload.region()
    assert found is not None
    # The file object closes its descriptor when it goes.
    return Region(os.dup(found.descriptor), found.offset, found.dtype)


def test_a_worker_outlives_the_interruption_that_is_for_its_owner(region: Region) -> None:
    worker = Worker([region.descriptor])
    try:
        worker.ask(region, 0, 10)
        worker.answer()
        os.kill(worker.pid, signal.SIGINT)
        worker.ask(region, CHUNK, SIZE)
        assert parts(worker.answer()) == parts(accumulate([values(1)[CHUNK:]]))
    finally:
        worker.close()


def test_a_worker_imports_nothing_from_the_current_folder(
    region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "struct", "nnea_graph"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    worker = Worker([region.descriptor])
    try:
        worker.ask(region, 0, 10)
        assert worker.answer().finite == 10 - 1
    finally:
        worker.close()
    assert not (tmp_path / "imported").exists()


def test_a_worker_reads_no_file_that_it_was_not_given(region: Region) -> None:
    worker = Worker([])
    try:
        worker.ask(region, 0, 10)
        with pytest.raises(ConnectionError):
            worker.answer()
    finally:
        worker.close()


def test_serving_ends_with_the_requests() -> None:
    answers = io.BytesIO()
    with pytest.raises(ConnectionError):
        serve(io.BytesIO(), answers)
    assert not answers.getvalue()


def test_regions_are_plain_values(region: Region) -> None:
    assert astuple(region)[1] == OFFSET
