"""What is written: whole files or none, and nobody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest
from hostile.support.models import chain, model, op
from hostile.support.running import Program

RELU = model([op("Relu", ["x"], ["y"], name="relu")])
COMMAND = [sys.executable, "-m", "nnea_graph"]


def fails(program: Program, *arguments: str | Path, file_size: int | None = None) -> str:
    outcome = program("run", program.save(RELU), *arguments, file_size=file_size)
    assert outcome.code == 2, outcome
    assert outcome.stderr.count("\n") == 1
    return outcome.stderr


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_gets_the_report_and_the_facts_of_the_run(program: Program) -> None:
    outcome = program("run", program.save(RELU), "-o", "out/deep", "--format", "json")
    assert outcome.code == 0
    pictures = {"graph.dot", "graph.svg"}  # Relu alone has no paths
    assert listed(program.folder / "out" / "deep") == {"report.html", "report.json", "run.json"} | pictures
    assert (program.folder / "out/deep/report.json").read_text() == outcome.stdout
    assert json.loads((program.folder / "out/deep/run.json").read_text())["seconds"] > 0


def test_a_second_run_into_a_folder_is_refused_unless_forced(program: Program) -> None:
    model_path = program.save(RELU)
    assert program("run", model_path, "-o", "out").code == 0
    before = (program.folder / "out" / "report.json").stat().st_mtime_ns
    assert "--force" in fails(program, "-o", "out")
    assert (program.folder / "out" / "report.json").stat().st_mtime_ns == before
    assert program("run", model_path, "-o", "out", "--force").code == 0


def test_a_file_in_the_place_of_the_folder_is_left_alone(program: Program) -> None:
    (program.folder / "out").write_text("mine")
    assert "out" in fails(program, "-o", "out")
    assert (program.folder / "out").read_text() == "mine"


def test_a_folder_that_may_not_be_written_is_an_error(program: Program) -> None:
    assert "/proc" in fails(program, "-o", "/proc/nnea")
    assert "/proc/nnea.json" in fails(program, "--format", "json=/proc/nnea.json")


def test_a_file_in_a_folder_that_is_not_there_is_an_error(program: Program) -> None:
    assert "nowhere/report.json" in fails(program, "--format", "json=nowhere/report.json")


@pytest.mark.parametrize(
    "arguments", [["-o", "out"], ["--format", "json=out.json", "--force"], ["--format", "text=out.txt"]]
)
def test_a_disk_that_fills_up_leaves_no_half_of_a_file(program: Program, arguments: list[str]) -> None:
    (program.folder / "out.json").write_text("older")
    said = fails(program, *arguments, file_size=300)
    assert "File too large" in said
    if (program.folder / "out").exists():
        assert listed(program.folder / "out") == set()
    assert (program.folder / "out.json").read_text() == "older"
    assert not [name for name in listed(program.folder) if name.startswith(".out")]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_full_standard_output_is_an_error_in_one_line(program: Program, form: str) -> None:
    program.save(RELU)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "run", "model.onnx", "--no-run", "--format", form],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=program.folder, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_reader_that_has_seen_enough_is_no_error(program: Program, form: str) -> None:
    program.save(model(chain(5_000)))
    command = f"{sys.executable} -m nnea_graph run model.onnx --no-run --top 5000 --format {form}"
    line = f"{command} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, cwd=program.folder, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def test_closed_standard_output_is_no_traceback(program: Program) -> None:
    program.save(RELU)
    line = f"{sys.executable} -m nnea_graph run model.onnx --no-run >&-"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, cwd=program.folder, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 2}


WAITING = """
import pathlib, time, numpy

def samples():
    pathlib.Path("reading").touch()
    while not pathlib.Path("come").exists():
        time.sleep(0.01)
    return numpy.zeros((2, 4), numpy.float32)
"""


def _opened(program: Program, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "run", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=program.folder,
    )  # fmt: skip


def started(program: Program, *arguments: str) -> subprocess.Popen[str]:
    """The program at work on data that do not come before there is a file ``come``; its outputs are reserved."""
    program.save(RELU)
    (program.folder / "waiting.py").write_text(WAITING)
    process = _opened(program, "model.onnx", "--data", "waiting.py:samples", "--format", "json", *arguments)
    while not (program.folder / "reading").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_an_interrupted_run_says_so_in_one_line_and_leaves_nothing(program: Program) -> None:
    with started(program, "-o", "out") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert err == "nnea-graph: error: interrupted\n"
    assert listed(program.folder / "out") == set()


def test_an_interruption_while_a_module_makes_its_classes_ends_with_the_same_code(tmp_path: Path) -> None:
    caught = """
import nnea_graph.commands.cli
from nnea_graph.__main__ import main

def run_command_line(arguments):
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 130

nnea_graph.commands.cli.run_command_line = run_command_line
main()
"""
    (tmp_path / "caught.py").write_text(caught)
    command = [sys.executable, "-m", "caught"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 130


def test_two_runs_into_one_folder_are_not_both_let_in(program: Program) -> None:
    with started(program, "-o", "out") as process:
        assert "another run" in fails(program, "-o", "out", "--force")
        process.kill()
        process.communicate()
    assert "report.json" not in listed(program.folder / "out")
    assert program("run", program.save(RELU), "-o", "out").code == 0, (
        "the lock of a killed run holds nobody up"
    )
    assert "report.json" in listed(program.folder / "out")


def test_a_run_killed_while_writing_leaves_the_older_report(program: Program) -> None:
    assert program("run", program.save(RELU), "-o", "out").code == 0
    before = (program.folder / "out" / "report.json").read_bytes()
    program.save(model(chain(30_000)), "large.onnx")
    for delay in (0.4, 0.8, 1.2, 1.6, 2.0):
        with _opened(program, "large.onnx", "--no-run", "-o", "out", "--force", "-p", "cost") as process:
            time.sleep(delay)
            process.kill()
            process.communicate(timeout=20)
        after = (program.folder / "out" / "report.json").read_bytes()
        assert after == before or json.loads(after)["model"]["operators"] == 30_000


def test_nothing_is_written_beside_the_model(program: Program) -> None:
    folder = program.folder / "models"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(RELU.SerializeToString())
    program("run", folder / "model.onnx", "-o", "out")
    assert listed(folder) == {"model.onnx"}


def test_the_report_may_be_read_by_whom_the_umask_allows(program: Program) -> None:
    program("run", program.save(RELU), "-o", "out")
    mask = os.umask(0)
    os.umask(mask)
    assert (program.folder / "out" / "report.json").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_pipe_is_written_to_and_not_replaced(program: Program) -> None:
    pipe = program.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert program("run", program.save(RELU), "-p", "cost", "--format", "json=pipe").code == 0
        assert pipe.is_fifo()
        assert os.read(reader, 1 << 16).startswith(b"{")
    finally:
        os.close(reader)


def test_a_report_is_never_written_over_the_model_or_another_file(program: Program) -> None:
    path = program.save(RELU)
    before = path.read_bytes()
    (program.folder / "mine.txt").write_text("mine")
    (program.folder / "link.json").symlink_to("nowhere.json")
    for form in ("json", "text"):
        assert "made of" in fails(program, "--format", f"{form}=model.onnx")
        assert "made of" in fails(program, "--format", f"{form}=model.onnx", "--force")
        assert "use --force to overwrite" in fails(program, "--format", f"{form}=mine.txt")
        assert "use --force to overwrite" in fails(program, "--format", f"{form}=link.json")
    assert path.read_bytes() == before
    assert (program.folder / "mine.txt").read_text() == "mine"
    assert program("run", path, "--format", "json=mine.txt", "--force").code == 0
    assert json.loads((program.folder / "mine.txt").read_text())["model"]


def test_a_report_is_never_written_over_the_weights_or_the_data(program: Program) -> None:
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [4, 4], bytes(64), raw=True)
    made = model([op("MatMul", ["x", "w"], ["y"])], weights=[weights])
    path = program.folder / "apart.onnx"
    onnx.save_model(made, path, save_as_external_data=True, location="apart.bin", size_threshold=0)
    (program.folder / "data.npz").write_bytes(b"mine")
    before = listed(program.folder)
    for option in (["json=apart.bin"], ["json=data.npz", "--data", "data.npz"]):
        outcome = program("run", path, "--force", "--format", *option)
        assert outcome.code == 2
        assert outcome.stderr.count("\n") == 1
    assert (program.folder / "apart.bin").read_bytes() == bytes(64)
    assert (program.folder / "data.npz").read_bytes() == b"mine"
    assert listed(program.folder) - {".stdout", ".stderr"} == before - {".stdout", ".stderr"}


def test_two_outputs_are_two_files(program: Program) -> None:
    assert "one file" in fails(program, "--format", "json=a", "--format", "text=./a")
    assert "one file" in fails(program, "-o", "out", "--format", "json=out/report.json")
    assert not (program.folder / "out").exists()


@pytest.mark.parametrize("name", ["run.json", "graph.svg", "plot_cost_breakdown.svg"])
def test_somebody_elses_files_in_the_folder_stay(program: Program, name: str) -> None:
    (program.folder / "out").mkdir()
    (program.folder / "out" / name).write_text("mine")
    names = {path.name for path in (program.folder / "out").iterdir()}
    outcome = program("run", program.save(RELU), "-o", "out")
    assert outcome.code == 2
    assert "--force" in outcome.stderr
    assert {path.name for path in (program.folder / "out").iterdir()} == names
    assert (program.folder / "out" / name).read_text() == "mine"


def test_an_output_that_appears_during_the_run_stays(program: Program) -> None:
    with started(program, "--format", "text=out.txt") as process:
        (program.folder / "out.txt").write_text("mine")
        (program.folder / "come").touch()
        _, err = process.communicate()
    assert process.returncode == 2
    assert "--force" in err
    assert (program.folder / "out.txt").read_text() == "mine"
