"""``nnea-graph help``: the manual that the package ships, and the measurements that it shows."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hostile.support.running import Program
from oracles.documents import MANUAL, README, blocks


def test_help_lists_every_topic_with_its_title(program: Program) -> None:
    outcome = program("help")
    assert (outcome.code, outcome.stderr) == (0, "")
    for path in MANUAL:
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert any(line.split(None, 1) == [path.stem, title] for line in outcome.stdout.splitlines())


@pytest.mark.parametrize("path", MANUAL, ids=lambda path: path.stem)
def test_a_topic_in_a_pipe_is_its_document_without_the_marks_for_tests(path: Path, program: Program) -> None:
    outcome = program("help", path.stem)
    kept = [
        line
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith("<!--")
    ]
    assert (outcome.code, outcome.stdout) == (0, "".join(kept))


def test_a_topic_on_a_terminal_is_styled() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "nnea_graph", "help", "data"],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    ) as process:
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"\x1b[" in shown
    assert b"| data |" not in shown
    assert b"test_data_set_*" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so where the other end is closed
        return b""


def test_an_unknown_topic_is_an_error_that_lists_the_topics(program: Program) -> None:
    outcome = program("help", "nothing")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(
        "nnea-graph: error: help nothing: no such topic; choose from audit, benchmarks, "
    )


def test_an_output_that_has_no_such_signs_gets_others() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nnea_graph", "help", "definitions"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert rb"2n \u2212 1" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", [README, *MANUAL], ids=lambda path: path.stem)
def test_measurements_shown_have_the_words_of_the_output(path: Path, request: pytest.FixtureRequest) -> None:
    for shown, printed in blocks(path, rough=True):
        if request.config.getoption("--update-golden"):
            path.write_text(path.read_text(encoding="utf-8").replace(shown, printed), encoding="utf-8")
        else:
            assert shown == printed, "pytest --update-golden writes it anew"
