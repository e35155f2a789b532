"""How time and memory grow with the graph: run by hand, prints ratios.

python tests/benchmarks/bench_scale.py [NODES …]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from onnx import ModelProto, TensorProto, helper

COMMAND = [sys.executable, "-m", "nnea_graph", "run", "--format", "json", "--no-progress"]


def chain(count: int) -> ModelProto:
    names = ["x", *(f"t{n}" for n in range(count - 1)), "y"]
    nodes = [helper.make_node("Relu", [names[n]], [names[n + 1]]) for n in range(count)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def measured(count: int, folder: Path) -> float:
    path = folder / f"chain{count}.onnx"
    path.write_bytes(chain(count).SerializeToString())
    start = time.perf_counter()
    subprocess.run([*COMMAND, str(path)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [3_000, 30_000, 300_000]
    before: float | None = None
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            seconds = measured(count, Path(folder))
            ratio = f"   {seconds / before:5.2f} x the one before" if before else ""
            print(f"{count:9,} operators {seconds:8.2f} s {1e6 * seconds / count:8.1f} us each{ratio}")
            before = seconds


if __name__ == "__main__":
    main()
