"""Runs end when their time is up, each at its own time, and one thread sees to all of them."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
from oracles.observing import ROOT

from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session.session import session_of
from nnea_graph.runtime.session.watchdog import Deadlines

LONG = 60.0


def run_options() -> SimpleNamespace:
    return SimpleNamespace(terminate=False)


def ended(options: SimpleNamespace, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not options.terminate and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(options.terminate)


def test_each_run_ends_at_its_own_time_whichever_began_first() -> None:
    deadlines, late, soon, later = Deadlines(), run_options(), run_options(), run_options()
    with ExitStack() as running:
        for options, seconds in ((late, LONG), (soon, 0.05), (later, 0.3)):
            running.enter_context(deadlines.ending(options, seconds))
        assert ended(soon)
        assert not later.terminate
        assert ended(later)
        assert not late.terminate


def test_a_run_that_is_over_is_left_alone() -> None:
    deadlines, over, other = Deadlines(), run_options(), run_options()
    with deadlines.ending(over, 0.05):
        pass
    with deadlines.ending(other, 0.1):
        assert ended(other)
    assert not over.terminate


def test_a_time_that_never_comes_is_no_error() -> None:
    deadlines, forever, soon = Deadlines(), run_options(), run_options()
    with deadlines.ending(forever, float("inf")), deadlines.ending(soon, 0.05):
        assert ended(soon)
    assert not forever.terminate


def test_no_time_at_all_is_no_time() -> None:
    for seconds in (0.0, -1.0):
        options = run_options()
        with Deadlines().ending(options, seconds):
            assert options.terminate


def test_many_runs_start_one_thread() -> None:
    session = session_of(to_proto(load_onnx(ROOT / "models" / "digits_mlp.onnx")))
    x = {"x": np.zeros((1, 1, 8, 8), np.float32)}
    session.run(x, seconds=LONG)
    before = {thread.ident for thread in threading.enumerate()}
    for _ in range(20):
        session.run(x, seconds=LONG)
        assert {thread.ident for thread in threading.enumerate()} <= before
