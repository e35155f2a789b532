from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nnea_graph.errors import UsageError
from nnea_graph.fleet.engines import run_tasks
from nnea_graph.fleet.journal import Entry, Journal, key_of
from nnea_graph.fleet.model_run import Task, run_task
from nnea_graph.fleet.run import FleetOptions, report_path, run_fleet

MODELS = Path(__file__).parents[2] / "models"
STATIC = ("-p", "cost", "--no-run")
CODE = """
import os, time
def hang():
    time.sleep(600)
def crash():
    os.abort()
def eat():
    block = bytearray(2 << 30)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(600)
"""


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    made = []
    for name in ("one", "two"):
        file = tmp_path / f"{name}.onnx"
        shutil.copy(MODELS / "digits_mlp.onnx", file)
        made.append(str(file))
    return made


def test_every_model_has_a_report_and_a_second_run_analyzes_nothing(
    models: list[str], tmp_path: Path
) -> None:
    told: list[int] = []
    options = FleetOptions(STATIC, jobs=2)
    first = run_fleet(models, tmp_path / "out", options, lambda done, _count, _model: told.append(done))
    assert [entry.exit_code for entry in first.values()] == [0, 0]
    reports = [report_path(tmp_path / "out", model).read_bytes() for model in models]
    assert told == [1, 2]
    assert run_fleet(models, tmp_path / "out", options, lambda done, _c, _m: told.append(done)) == first
    assert told == [1, 2]
    assert [report_path(tmp_path / "out", model).read_bytes() for model in models] == reports


def test_a_model_that_changed_is_analyzed_again_alone(models: list[str], tmp_path: Path) -> None:
    options = FleetOptions(STATIC, jobs=2)
    run_fleet(models, tmp_path / "out", options)
    shutil.copy(MODELS / "digits_cnn.onnx", models[1])
    told: list[str] = []
    run_fleet(models, tmp_path / "out", options, lambda _d, _c, model: told.append(model))
    assert told == [models[1]]


def test_other_options_make_another_analysis(models: list[str]) -> None:
    assert key_of(models[0], STATIC, "1") != key_of(models[0], ("-p", "cost"), "1")
    assert key_of(models[0], STATIC, "1") != key_of(models[0], STATIC, "2")
    assert key_of(models[0], STATIC, "1") == key_of(models[1], STATIC, "1")


def test_a_torn_journal_goes_on_with_what_is_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    one, two = Entry("a", "k", 0, ""), Entry("b", "k", 2, "no")
    journal.append(one)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"path": "tor')
    journal.append(two)
    assert journal.entries() == {"a": one, "b": two}
    journal.append(Entry("a", "new", 0, ""))
    assert journal.entries()["a"].key == "new"


def test_a_model_that_hangs_crashes_or_eats_memory_is_its_row_alone(
    models: list[str], tmp_path: Path
) -> None:
    code = tmp_path / "bad.py"
    code.write_text(CODE, encoding="utf-8")
    kinds = ("hang", "crash", "eat")
    tasks = [
        Task(f"{code}:{kind}", str(tmp_path / f"{kind}.json"), STATIC, seconds=20, memory_bytes=1 << 30)
        for kind in kinds
    ]
    tasks.append(Task(models[0], str(tmp_path / "good.json"), STATIC, seconds=120))
    found = {each.model.rpartition(":")[2]: each for each in run_tasks(tasks, "local", 4)}
    assert "not done after 20 seconds" in found["hang"].error
    assert "SIGABRT" in found["crash"].error
    assert "bytes of memory" in found["eat"].error
    assert found[models[0]].exit_code == 0
    assert [found[kind].exit_code for kind in kinds] == [2, 2, 2]


def test_a_file_that_is_no_model_says_why(tmp_path: Path) -> None:
    file = tmp_path / "noise.onnx"
    file.write_bytes(b"\x00" * 10)
    found = run_task(Task(str(file), str(tmp_path / "r.json"), STATIC))
    assert found.exit_code == 2
    assert "noise.onnx" in found.error


def test_an_engine_that_there_is_not_is_an_error() -> None:
    with pytest.raises(UsageError, match="local, ray"):
        run_tasks([], "spark", 1)
