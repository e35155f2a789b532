"""Child processes: answers, deaths and deadlines, shown with a small module that the test itself writes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from nnea_graph.process.child import Child, completed

MODULE = """
import os, sys, time
from nnea_graph.process.framing import receive, send
from nnea_graph.process.serving import answering

with answering() as (requests, answers):
    while True:
        word = bytes(receive(requests, 1 << 30))
        print("printed between")
        if word == b"die":
            print("why it died", file=sys.stderr, flush=True)
            os._exit(7)
        if word == b"sleep":
            time.sleep(60)
        send(answers, word, word)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "echoing_module.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return "echoing_module"


def asked(child: Child, word: bytes, seconds: float = 30) -> bytes:
    with child.within(seconds):
        child.send(word)
        return bytes(child.receive(1 << 30))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("size", [0, 1, 3 << 20], ids=["empty", "one", "more-than-a-pipe"])
def test_a_frame_comes_back_whatever_its_size_and_whatever_is_printed(module: str, size: int) -> None:
    child = Child(module)
    for _ in range(2):
        assert asked(child, b"a" * size) == b"a" * 2 * size
    child.close()


def test_what_takes_longer_is_killed(module: str) -> None:
    child, started = Child(module), time.monotonic()
    with pytest.raises(TimeoutError):
        asked(child, b"sleep", 0.5)
    assert time.monotonic() - started < 20
    child.close()


def test_a_death_is_told_with_its_code_or_signal_and_its_last_words(module: str) -> None:
    child = Child(module, keeps_errors=True)
    with pytest.raises(ChildProcessError, match="code 7"):
        asked(child, b"die", 30)
    assert child.last_error() == "why it died"
    other = Child(module)
    os.kill(other.pid, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match="SIGKILL"):
        asked(other, b"word", 30)


def test_a_child_goes_with_its_owner(module: str) -> None:
    child = Child(module)
    pid = child.pid
    del child
    assert gone(pid)


def test_a_child_reads_only_the_files_that_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "reading_module.py").write_text(
        "import os\n"
        "from nnea_graph.process.framing import receive, send\n"
        "from nnea_graph.process.serving import answering\n"
        "with answering() as (requests, answers):\n"
        "    while True:\n"
        "        send(answers, os.pread(int(receive(requests, 9)), 9, 0))\n"
    )
    given, other = (os.open(tmp_path / "reading_module.py", os.O_RDONLY) for _ in range(2))
    child = Child("reading_module", [given])
    child.send(str(given).encode())
    assert child.receive(9) == b"import os"
    with pytest.raises(ChildProcessError, match="code 1"):
        asked(child, str(other).encode(), 30)


def test_without_a_python_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(FileNotFoundError, match="not known where Python is"):
        Child("json")


def test_a_program_is_given_its_input_and_stopped_in_time() -> None:
    assert completed(["cat"], b"abc", 30).stdout == b"abc"
    with pytest.raises(TimeoutError):
        completed(["sleep", "60"], b"", 0.2)
