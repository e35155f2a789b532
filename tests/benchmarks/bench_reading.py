"""Time and memory of opening a model, against onnx.load; by hand, with models as arguments or without."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

OPEN = {
    "read_onnx": "from nnea_graph.frontends.onnx.file import read_onnx as opened",
    "onnx.load": "from onnx import load as opened",
}
# VmHWM rather than getrusage: that one's peak begins with the peak of the process that started this one.
MEASURE = """
import re, sys, time
from pathlib import Path
{setup}
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
started = time.perf_counter()
model = opened(sys.argv[1])
print(time.perf_counter() - started, peak() - before)
"""


def measured(setup: str, path: Path) -> tuple[float, float]:
    """Milliseconds and MiB of the best of five fresh processes."""
    command = [sys.executable, "-c", MEASURE.format(setup=setup), str(path)]
    runs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(5)
    ]
    return min(float(run[0]) for run in runs) * 1000, min(float(run[1]) for run in runs)


def large_model(path: Path) -> None:
    """100 weight tensors of 1 MiB."""
    weights = np.random.default_rng(0).standard_normal(1 << 18).astype(np.float32)
    tensors = [
        helper.make_tensor(f"w{i}", TensorProto.FLOAT, [512, 512], weights, raw=True) for i in range(100)
    ]
    path.write_bytes(helper.make_model(helper.make_graph([], "g", [], [], tensors)).SerializeToString())


def deep_model(path: Path) -> None:
    """A chain of 300,000 operators without weights."""
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(300_000)]
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "g", [], [])).SerializeToString())


def report(name: str, path: Path) -> None:
    """One line a reader, and the ratio of the two."""
    results = {reader: measured(setup, path) for reader, setup in OPEN.items()}
    print(f"{name} ({path.stat().st_size / 1e6:.0f} MB)")
    for reader, (milliseconds, mebibytes) in results.items():
        print(f"  {reader:10} {milliseconds:8.1f} ms {mebibytes:8.1f} MiB")
    (our_time, our_memory), (their_time, their_memory) = results.values()
    print(f"  {their_time / our_time:.1f} times as fast, {our_memory / their_memory:.2f} of the memory")


def main() -> None:
    """The models given, or two made here."""
    for path in map(Path, sys.argv[1:]):
        report(path.name, path)
    with tempfile.TemporaryDirectory() as folder:
        for make in () if sys.argv[1:] else (large_model, deep_model):
            path = Path(folder) / "m.onnx"
            make(path)
            report(str(make.__doc__), path)


if __name__ == "__main__":
    main()
