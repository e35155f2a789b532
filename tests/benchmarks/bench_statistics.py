"""Prints the time of weight statistics beside that of a plain sum of magnitudes over the same file.

The file is external data of a model; it is analyzed as a user does, and the time that the same takes on a
model of few weights is taken off. Other work on the machine shows as a share of CPU time: look at rounds
that have little of it. Run by hand: python tests/benchmarks/bench_statistics.py [TENSORS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from nnea_graph.graph.constants import CHUNK

WIDTH = 3168
"""60 matrices of that width have 602 M weights in 2.4 GB."""

ROUNDS = 7
PIPELINES = ("weight_statistics", "weight_statistics{processes=1}")


def write_model(folder: Path, tensors: int, width: int) -> Path:
    """A chain of matrix products, whose weights are in one file beside it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    with (folder / "weights.bin").open("wb") as file:
        for number in range(tensors):
            place = {"location": "weights.bin", "offset": file.tell(), "length": 4 * width**2}
            tensor = TensorProto(name=f"w{number}", data_type=TensorProto.FLOAT, dims=[width, width])
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            weights.append(tensor)
            nodes.append(helper.make_node("MatMul", [f"x{number}", f"w{number}"], [f"x{number + 1}"]))
            file.write((rng.standard_normal(width**2, np.float32) * np.float32(0.02)).tobytes())
    ends = [helper.make_tensor_value_info(f"x{end}", TensorProto.FLOAT, [1, width]) for end in (0, tensors)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def plain_sum(path: Path) -> float:
    """Seconds of abs().sum() over the file, a chunk at a time."""
    start = time.perf_counter()
    values = np.memmap(path, np.float32, mode="r")
    sum(float(np.abs(values[first : first + CHUNK]).sum()) for first in range(0, values.size, CHUNK))
    return time.perf_counter() - start


@dataclass(frozen=True)
class Run:
    """``cpu`` is the seconds of all processes, ``others`` what the rest of the machine used, of all CPUs."""

    seconds: float
    cpu: float
    others: float
    resident_bytes: int


def analyze(model: Path, pipeline: str) -> Run:
    """One run of the command line."""
    command = [sys.executable, "-m", "nnea_graph", "run", str(model), "-p", pipeline, "--format", "json"]
    start, used, busy = time.perf_counter(), os.times(), busy_seconds()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(resident, family(process.pid))))
            time.sleep(0.01)
    seconds, now = time.perf_counter() - start, os.times()
    mine = now.user + now.system - used.user - used.system
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    others = (busy_seconds() - busy - cpu - mine) / seconds / (os.cpu_count() or 1)
    return Run(seconds, cpu, others, peak)


def busy_seconds() -> float:
    """CPU time that everybody has used, and that was taken by other machines."""
    user, nice, system, _, _, irq, softirq, steal, *_ = Path("/proc/stat").read_text().split()[1:]
    ticks = sum(map(int, (user, nice, system, irq, softirq, steal)))
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """A process and the children of its threads."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, path.read_text().split())


def resident(pid: int) -> int:
    """Bytes of a process that are in memory; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def main() -> None:
    """Interleaved, so that a busy moment of the machine does not fall on one of them alone."""
    tensors = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        small = write_model(Path(folder) / "small", tensors, 8)
        model = write_model(Path(folder) / "large", tensors, WIDTH)
        base, start = [], []
        runs: dict[str, list[Run]] = {pipeline: [] for pipeline in PIPELINES}
        for _ in range(ROUNDS):
            base.append(plain_sum(model.parent / "weights.bin"))
            start.append(analyze(small, PIPELINES[0]))
            for pipeline in PIPELINES:
                runs[pipeline].append(analyze(model, pipeline))
            row = (
                f"{runs[each][-1].seconds:.2f} s ({runs[each][-1].others:.0%} others)" for each in PIPELINES
            )
            print(f"abs().sum() {base[-1]:.2f} s, start {start[-1].seconds:.2f} s, run", *row, flush=True)
    startup, unit = min(run.seconds for run in start), min(base)
    startup_cpu = min(run.cpu for run in start)
    for pipeline, done in runs.items():
        first, best = done[0].seconds - startup, min(run.seconds for run in done) - startup
        cpu = min(run.cpu for run in done) - startup_cpu
        peak = max(run.resident_bytes for run in done) / 2**20
        print(
            f"{pipeline:34}{best / unit:6.2f}x   first run {first / unit:.2f}x   CPU {cpu / unit:.2f}x   "
            f"resident, all processes {peak:.0f} MiB"
        )


if __name__ == "__main__":
    main()
