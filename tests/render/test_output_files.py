"""Outputs killed, or failing, at every call of the operating system: whole, or plainly unfinished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nnea_graph.errors import OutputError
from nnea_graph.render.output_files import remove_leftovers, write_output, write_outputs
from nnea_graph.render.output_folder import output_folder

STOPPING = """
import builtins, errno, fcntl, json, os, sys, tempfile
from pathlib import Path
from nnea_graph.errors import OutputError
from nnea_graph.render.output_files import write_output, write_outputs
from nnea_graph.render.output_folder import output_folder

def pair(folder, text, force, number):
    while (folder / f"model.data{number}").exists():
        number += 100
    model, weights = folder / "model", folder / f"model.data{number}"
    older = [each for each in folder.glob("model.data*")] if force else []
    files = {weights: [text * 2], model: [text + str(number)]}
    write_outputs(files | dict.fromkeys(older), force=force, seal=model)

def report(folder, text, force, number):
    with output_folder(folder, ["run.json", "graph.svg", "graph.dot"], force=force) as held:
        files = {"report.json": [text], "run.json": [text]}
        held.write(files | ({"graph.svg": [text]} if text != "new" else {"graph.dot": [text]}))

def file(folder, text, force, number):
    write_output(folder / "file", [text], force=force)

write, folder, text, force = globals()[sys.argv[1]], Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "force"
stop, mode, seen = int(sys.argv[5]), sys.argv[6], 0

def counted(call):
    def wrapped(*arguments, **options):
        global seen
        seen += 1
        if seen == stop:
            if mode == "kill":
                os._exit(9)
            raise OSError(errno.EIO, "Input/output error")
        return call(*arguments, **options)
    return wrapped

for module, names in ((os, "open fsync link replace unlink chmod ftruncate pwrite fdopen fstat".split()),
                      (tempfile, ["mkstemp"]), (fcntl, ["flock"])):
    for name in names:
        setattr(module, name, counted(getattr(module, name)))
try:
    write(folder, text, force, stop)
except OutputError as error:
    print(error)
    os._exit(2)
os._exit(0 if seen < stop or not stop else 3)
"""


def stopped(kind: str, folder: Path, text: str, stop: int, mode: str, *, force: bool) -> int:
    """Write in a process that is killed, or in which the operating system fails once, at that call."""
    arguments = [kind, str(folder), text, "force" if force else "no", str(stop), mode]
    done = subprocess.run(
        [sys.executable, "-c", STOPPING, *arguments], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


def whole_pair(found: dict[str, str], texts: tuple[str, ...]) -> bool:
    """Whether the model is there with the weights that it names."""
    if "model" not in found:
        return False
    text, number = found["model"][:3], found["model"][3:]
    assert found[f"model.data{number}"] == text * 2
    return text in texts


def whole_report(found: dict[str, str], texts: tuple[str, ...]) -> bool:
    text = found.get("report.json", "")
    if not text:
        return False
    picture, other = ("graph.dot", "graph.svg") if text == "new" else ("graph.svg", "graph.dot")
    assert found == {"report.json": text, "run.json": text, picture: text}, other
    return text in texts


def whole_file(found: dict[str, str], texts: tuple[str, ...]) -> bool:
    return found.get("file") in texts


KINDS: dict[str, Callable[[dict[str, str], tuple[str, ...]], bool]] = {
    "pair": whole_pair,
    "report": whole_report,
    "file": whole_file,
}
POINTS = 60


@pytest.mark.parametrize("mode", ["kill", "fail"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_older_output_is_whole_at_every_point(tmp_path: Path, kind: str, mode: str) -> None:
    whole = KINDS[kind]
    for stop in range(1, POINTS):
        folder = tmp_path / str(stop)
        folder.mkdir()
        assert stopped(kind, folder, "old", 0, "kill", force=False) == 0
        code = stopped(kind, folder, "new", stop, mode, force=True)
        found = content(folder)
        if kind == "report":  # a folder has no report while it is unfinished
            assert whole(found, ("old", "new")) or "report.json" not in found
        else:
            assert whole(found, ("old", "new")), found
        if code == 0:  # more calls than there are
            assert whole(found, ("new",))
            break
        assert stopped(kind, folder, "new", 0, "kill", force=True) == 0
        assert whole(content(folder), ("new",))
        assert len(list(folder.iterdir())) == len(content(folder)), "leftovers"
    else:
        pytest.fail("more points than expected")


@pytest.mark.parametrize("mode", ["kill", "fail"])
@pytest.mark.parametrize("kind", ["report", "file"])
def test_what_a_stopped_first_run_left_holds_up_no_second_one(tmp_path: Path, kind: str, mode: str) -> None:
    whole = KINDS[kind]
    for stop in range(1, POINTS):
        folder = tmp_path / str(stop)
        folder.mkdir()
        code = stopped(kind, folder, "new", stop, mode, force=False)
        done = whole(content(folder), ("new",))
        assert done or not {"report.json", "file"} & content(folder).keys()
        if mode == "fail" and code == 2:
            assert not content(folder) or done
        if code == 0:
            break
        assert stopped(kind, folder, "new", 0, "kill", force=done) == 0
        assert whole(content(folder), ("new",))
        assert len(list(folder.iterdir())) == len(content(folder)), "leftovers"


def test_a_file_that_came_during_the_run_stays(tmp_path: Path) -> None:
    def pieces() -> list[str]:
        (tmp_path / "b").write_text("somebody's")
        return ["mine"]

    with pytest.raises(OutputError, match="was created during this run; use --force to overwrite"):
        write_outputs({tmp_path / "a": ["mine"], tmp_path / "b": pieces()}, force=False)
    assert content(tmp_path) == {"b": "somebody's"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_system_without_links_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    write_output(tmp_path / "a", ["mine"], force=False)
    assert content(tmp_path) == {"a": "mine"}
    with pytest.raises(OutputError, match="--force"):
        write_output(tmp_path / "a", ["again"], force=False)
    assert content(tmp_path) == {"a": "mine"}


def test_leftovers_of_others_and_of_living_runs_stay(tmp_path: Path) -> None:
    (tmp_path / ".other.x1.nnea-graph").touch()
    (tmp_path / ".a[1].x2.nnea-graph").touch()

    def pieces() -> list[str]:
        remove_leftovers([tmp_path / "a[1]"])
        return ["mine"]

    class Lazily:
        def __iter__(self) -> object:
            return iter(pieces())

    write_output(tmp_path / "a[1]", Lazily(), force=False)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.x1.nnea-graph", "a[1]"]


@pytest.mark.parametrize("name", ["run.json", "graph.svg", "report.json"])
def test_a_file_that_is_no_report_of_the_program_stays_unless_forced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("somebody's")
    with (
        pytest.raises(OutputError, match="--force"),
        output_folder(tmp_path, ["run.json", "graph.svg"], force=False),
    ):
        pass
    assert content(tmp_path) == {name: "somebody's"}
    with output_folder(tmp_path, ["run.json", "graph.svg"], force=True) as held:
        held.write({"report.json": ["{}"], "run.json": ["{}"]})
    kept = {"graph.svg": "somebody's"} if name == "graph.svg" else {}
    assert content(tmp_path) == {"report.json": "{}", "run.json": "{}"} | kept


def test_a_refused_run_leaves_the_lock_of_the_other(tmp_path: Path) -> None:
    with output_folder(tmp_path, [], force=False) as held:
        for _ in range(2):
            with pytest.raises(OutputError, match="another run"), output_folder(tmp_path, [], force=True):
                pass
        held.write({"report.json": ["mine"]})
    assert content(tmp_path) == {"report.json": "mine"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_lock_that_says_nonsense_takes_nothing_away(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    inode = (tmp_path / "mine.txt").stat().st_ino
    for text in ("[", "[1]", '"x"', json.dumps([["mine.txt", inode], ["../x", 1], ["run.json", None]])):
        (tmp_path / ".nnea-graph.lock").write_text(text)
        with output_folder(tmp_path, ["run.json"], force=False):
            pass
    assert content(tmp_path) == {"mine.txt": "mine"}
