"""Prints what counting a ResNet-50 of real-size weights takes beside onnx_tool, each as a process, in turn.

Run by hand: python tests/benchmarks/bench_cost.py PYTHON [ROUNDS], where PYTHON is that of an environment with
onnx_tool, which does not install beside everything that this project is tested with. Use an installed wheel: an
editable checkout starts slower.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_resnet50.onnx"
_MAKE = "--make"
OURS = [sys.executable, "-m", "nnea_graph", "run"]


def with_weights(path: Path) -> None:
    """onnx's ResNet-50, its fills replaced by stored numbers."""
    model = onnx.load(LIGHT)
    shapes = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    rng = np.random.default_rng(0)
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        values = 0.05 * rng.random(shapes[node.input[0]].tolist(), np.float32) + 0.01
        model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.save(model, path)


def measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds, of them processor time, and MiB at the peak, of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ends with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(python: str, rounds: int = 11) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.onnx"
        # In a process of its own: the peak of a child begins with that of its parent.
        subprocess.run([sys.executable, __file__, _MAKE, str(path)], check=True)
        commands = {
            "onnx_tool": [python, "-m", "onnx_tool", "-m", "profile", "-i", str(path)],
            "run -p cost": [*OURS, str(path), "-p", "cost"],
            "run --no-run --format json": [*OURS, str(path), "--no-run", "--format", "json"],
        }
        found = [{name: measured(command) for name, command in commands.items()} for _ in range(rounds)]
    for name in commands:
        ratios = sorted(each[name][0] / each["onnx_tool"][0] for each in found)
        seconds, busy, peak = (statistics.median(each[name][place] for each in found) for place in range(3))
        spread = f"{ratios[0]:.2f} … {ratios[-1]:.2f}"
        print(
            f"{name:28} {seconds:6.2f} s  {busy:6.2f} s of processors  {peak:5.0f} MiB"
            f"   x onnx_tool {statistics.median(ratios):.2f} ({spread})"
        )


if __name__ == "__main__":
    if sys.argv[1] == _MAKE:
        with_weights(Path(sys.argv[2]))
    else:
        main(sys.argv[1], *map(int, sys.argv[2:]))
