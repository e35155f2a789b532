"""Prints the time of weight statistics beside that of a plain sum of magnitudes over the same file.

Run by hand: python tests/benchmarks/bench_statistics.py [MEGABYTES]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import DTYPES, Constant
from nnea_graph.graph.constants import CHUNK
from nnea_graph.stats import measure, metrics

FLOAT32 = DTYPES[1]
ROUNDS = 5


@dataclass(frozen=True)
class FilePayload:
    """Reads elements from a file of float32."""

    path: Path

    def elements(self, start: int, stop: int) -> NDArray[np.float32]:
        return np.fromfile(self.path, np.float32, stop - start, offset=4 * start)


def write_weights(path: Path, megabytes: int) -> None:
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write((rng.standard_normal(CHUNK, np.float32) * np.float32(0.02)).tobytes())


def plain_sum(constant: Constant) -> float:
    return sum(float(np.abs(chunk).sum()) for chunk in constant.chunks(CHUNK))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.bin"
        write_weights(path, megabytes)
        constant = Constant("w", FLOAT32, (megabytes, CHUNK), FilePayload(path), megabytes << 20)
        works: dict[str, Callable[[], object]] = {
            "abs().sum(), 1 thread": lambda: plain_sum(constant),
            "measure, 2 threads": lambda: measure(constant),
            "measure, 1 thread": lambda: measure(constant, threads=1),
        }
        # Interleaved, so that a busy moment of the machine does not fall on one of them alone.
        rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(ROUNDS)]
        acc = measure(constant)
        print(f"{'metrics of the whole':24}{seconds(lambda: metrics(acc)) * 1e3:8.2f} ms")
    base = min(times["abs().sum(), 1 thread"] for times in rounds)
    for name in works:
        best, first = min(times[name] for times in rounds), rounds[0][name]
        ratios = f"{best / base:8.2f}x   first run {first / best:.2f}x"
        print(f"{name:24}{best * 1e9 / constant.size:8.2f} ns/element{ratios}")
    print(f"{'peak resident memory':24}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


if __name__ == "__main__":
    main()
