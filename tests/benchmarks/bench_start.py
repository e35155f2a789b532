"""CPU time and modules of short commands, in this tree and in others, by turns; by hand.

    python tests/benchmarks/bench_start.py [OTHER_TREE ...] [--runs N]

A tree is a folder with ``nnea_graph`` in it, such as a worktree of an older commit. All run under this interpreter.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

HERE = Path(__file__).parents[2]
MODEL = str(HERE / "models" / "digits_cnn.onnx")
COMMANDS = (
    ("run", MODEL, "-p", "cost"),
    ("run", MODEL),
    ("--help",),
    ("--version",),
    ("run", "missing.onnx"),
    ("nothing",),
)


def cpu_seconds(tree: Path, words: tuple[str, ...]) -> float:
    """User and system time of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(_command(words), cwd=tree, env=_environment(tree), capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def modules(tree: Path, words: tuple[str, ...]) -> tuple[int, int]:
    """Imports in all, and those of the package."""
    command = _command(words, "-X", "importtime")
    done = subprocess.run(
        command, cwd=tree, env=_environment(tree), capture_output=True, text=True, check=False
    )
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time" in line]
    return len(names), sum(name.partition(".")[0] == "nnea_graph" for name in names)


def _command(words: tuple[str, ...], *options: str) -> list[str]:
    return [sys.executable, *options, "-m", "nnea_graph", *words]


def _environment(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree)}


def compare(trees: list[Path], words: tuple[str, ...], runs: int) -> None:
    """A line a tree: the least and the median CPU time, the ratio to this tree's in pairs of runs, and modules."""
    seconds = {tree: [cpu_seconds(tree, words)] for tree in trees}  # the first warms the cache of bytecode
    for tree in trees:
        seconds[tree].clear()
    for _ in range(runs):
        for tree in trees:
            seconds[tree].append(cpu_seconds(tree, words))
    print(" ".join(word.replace(MODEL, "digits_cnn.onnx") for word in words))
    for tree in trees:
        ratio = median(here / there for here, there in zip(seconds[HERE], seconds[tree], strict=True))
        every, own = modules(tree, words)
        print(
            f"  {tree.name:16} least {min(seconds[tree]):.3f} s  median {median(seconds[tree]):.3f} s"
            f"  this tree / it {ratio:.2f}  modules {every}, {own} of the package"
        )


def main() -> None:
    """Compare this tree with the others, command by command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    trees = [HERE, *(tree.absolute() for tree in given.trees)]
    for words in COMMANDS:
        compare(trees, words, given.runs)


if __name__ == "__main__":
    main()
