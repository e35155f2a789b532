"""Sensitivity keeps its time, says what it left out, and shows how far it is."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_zoo.sensitive import DATA, MODELS, points_of, report_of

from nnea_graph.api.analyze import analyze
from nnea_graph.render.text.report import render_text
from nnea_graph.report import Report


def test_the_budget_is_of_work_whatever_the_load_and_what_was_left_out_is_said() -> None:
    data = {key: np.concatenate([values] * 8) for key, values in DATA.items()}

    def measured() -> Report:
        return analyze(MODELS / "digits_cnn.onnx", passes="sensitivity{seconds=0.5}", data=data)

    report = measured()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        beside = measured()
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert beside.sensitivity == report.sensitivity
    assert [layer.sensitivity for layer in beside.layers] == [layer.sensitivity for layer in report.layers]
    found = report.sensitivity
    assert found is not None
    assert 0 < found.measured < found.planned == 195
    assert 0 < found.samples <= 3600
    assert (
        sum(len(points_of(report, layer.id)) for layer in report.layers) + len(found.points) == found.measured
    )
    assert ("weights", "importance", 0.5) in {
        (each.unit, each.criterion, each.fraction) for each in found.points
    }
    assert f"{found.measured:,} of 195 points" in " ".join(render_text(report).split())


def test_with_no_time_nothing_is_measured_and_that_is_said() -> None:
    report = report_of("digits_mlp", "sensitivity{seconds=0.000001}")
    assert report.sensitivity is not None
    assert report.sensitivity.measured == 0
    assert report.sensitivity.planned > 0
    assert report.sensitivity.removable_weights is None
    assert "0 of 105 points" in " ".join(render_text(report).split())


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_progress_is_shown_on_a_terminal_and_an_interruption_leaves_no_half_file(tmp_path: Path) -> None:
    # More than can be measured before the signal arrives.
    np.savez(tmp_path / "many.npz", x=np.concatenate([DATA["x"]] * 100))
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "nnea_graph", "run", str(MODELS / "digits_mlp.onnx")]
    data = [
        "--data",
        str(tmp_path / "many.npz"),
        "--batch-size",
        "1",
        "-p",
        "+sensitivity",
        "-o",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen([*command, *data], stdout=subprocess.PIPE, stderr=slave, cwd=tmp_path)
    os.close(slave)
    shown = b""
    while b"sensitivity 2/105, " not in shown:
        shown += os.read(master, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert process.stdout is not None
    assert process.stdout.read() == b""
    process.stdout.close()
    os.close(master)
    assert not list(tmp_path.rglob("*.json"))
