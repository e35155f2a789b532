"""Makes trained networks smaller and prints the table of the README: refit against none against random channels.

Run by hand: PYTHONPATH=tests python tests/benchmarks/bench_pruning.py NETS MNIST FASHION CIFAR [SEEDS [NAME …]]
NETS is the folder that pruning_nets.py has filled, the next three are what it was given as DATA, SEEDS how many of
its seeds (3). Accuracies are of the 10,000 test images, which neither pruning (5,000 images of the training set) nor
fine-tuning sees. Latency: one thread, both networks in turn, in brackets the images of a run.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.pruning_nets import TASKS, Images, cifar, fashion, mnist, train
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

import nnea_graph
from nnea_graph.rewrite.prune import BARE, RANDOM
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.session import Settings, session_of

Array = NDArray[Any]

PART = 500


@dataclass(frozen=True)
class Case:
    """A network, what is to remain of it, the epochs of fine-tuning afterwards, and the images of a timed run."""

    name: str
    targets: tuple[str, ...]
    epochs: int = 1
    run: int = 64


CASES = (
    Case("mnist-cnn", ("params=0.25", "macs=0.25")),
    Case("mnist-cnn", ("params=0.15", "macs=0.2")),
    Case("mnist-cnn", ("params=0.25", "latency=0.34"), run=1),
    Case("mnist-lenet", ("params=0.2",)),
    Case("fashion-cnn", ("params=0.25", "macs=0.3")),
    Case("fashion-lenet", ("params=0.2",)),
    Case("cifar-residual", ("params=0.75",)),
    Case("cifar-residual", ("params=0.6",)),
    Case("cifar-residual", ("params=0.4",), epochs=3),
)


@dataclass(frozen=True)
class Row:
    """Accuracies in per cent, parameters that went in per cent, and how many times faster a run is."""

    before: float
    random: float
    bare: float
    refitted: float
    tuned: float
    fewer: float
    faster: float


def measured(case: Case, seed: int, images: Images, folder: Path) -> Row:
    """Prune one network, and fine-tune the module that comes of it."""
    base = folder / f"{case.name}-{seed}"
    net = TASKS[case.name].net()
    net.load_state_dict(torch.load(f"{base}.pt"))
    net.eval()
    with np.load(f"{base}.calibration.npz") as file:
        data = file["x"], file["labels"]
    found = nnea_graph.prune(net, data, case.targets, batch_size=100, run_samples=case.run, seed=seed)
    before = accuracy(of_module(net), images)
    smaller = found.plan.apply_to(copy.deepcopy(net))
    task = TASKS[case.name]
    train(smaller, images, replace(task, rate=task.rate / 5), seed, case.epochs)
    proof = found.report.verification
    return Row(
        before,
        accuracy(of_model(found.rivals[RANDOM]), images),
        accuracy(of_model(found.rivals[BARE]), images),
        accuracy(of_model(found.model), images),
        accuracy(of_module(smaller), images),
        100 - 100 * (proof.pruned.parameters or 0) / (proof.original.parameters or 1),
        proof.speed[0].speedup,
    )


def of_model(model: ModelProto) -> Callable[[Array], Array]:
    """Runs an ONNX model."""
    session = session_of(Written(model), Settings(threads=1))

    def run(x: Array) -> Array:
        answers: Array = session.run({session.inputs[0]: x})[0]
        return answers

    return run


def of_module(module: nn.Module) -> Callable[[Array], Array]:
    """Runs a torch module."""

    def run(x: Array) -> Array:
        module.eval()
        with torch.no_grad():
            answers: Array = module(torch.from_numpy(x)).numpy()
        return answers

    return run


def accuracy(run: Callable[[Array], Array], images: Images) -> float:
    """Of all test images, in per cent."""
    starts = range(0, len(images.test), PART)
    found = np.concatenate([run(images.test[start : start + PART]).argmax(1) for start in starts])
    return 100 * float((found == images.test_labels).mean())


def line(case: Case, rows: Sequence[Row]) -> str:
    """Means over the seeds, and the spread of what is lost."""
    means = np.mean([astuple(row) for row in rows], 0)
    lost = np.array([row.before - row.refitted for row in rows])
    before, random, bare, refitted, tuned, fewer, faster = means
    return (
        f"| {case.name} `{' '.join(case.targets)}` | −{fewer:.0f} % | {before:.2f} | {random:.2f} | {bare:.2f} "
        f"| **{refitted:.2f}** | {lost.mean():.2f} ± {lost.std():.2f} | {tuned:.2f} ({case.epochs}) "
        f"| {faster:.2f}× ({case.run}) |"
    )


def main(folder: str, *arguments: str) -> None:
    torch.set_num_threads(1)
    sources = dict(
        zip(("mnist", "fashion", "cifar"), zip((mnist, fashion, cifar), arguments, strict=False), strict=True)
    )
    seeds, names = int(arguments[3]) if len(arguments) > 3 else 3, set(arguments[4:])
    print(
        "| network and target | parameters | before | random channels | no refit | refit | lost "
        "| tuned (epochs) | faster |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for kind, (reader, path) in sources.items():
        cases = [case for case in CASES if case.name.startswith(kind) and (not names or case.name in names)]
        images = reader(Path(path)) if cases else None
        for case in cases:
            started = time.monotonic()
            rows = [measured(case, seed, images, Path(folder)) for seed in range(seeds) if images is not None]
            print(line(case, rows), flush=True)
            sys.stderr.write(f"{case}: {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
