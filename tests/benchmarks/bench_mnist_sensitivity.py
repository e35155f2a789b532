"""Prints the sensitivity of a LeNet-300-100 on MNIST beside the ratios of weights that Han (2015) kept.

Run by hand: python tests/benchmarks/bench_mnist_sensitivity.py MNIST.npz [EPOCHS]
Han retrained after pruning, the cuts here are in one shot and nothing is trained after them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nnea_graph.api.analyze import report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.channels.ablation.weights_and_channels import CRITERIA, Ablation, Removable, zeroed
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.sensitivity import removable_of
from nnea_graph.render.text.report import render_text
from nnea_graph.report import Report
from nnea_graph.runtime.open_data import open_data
from nnea_graph.runtime.perturb.repeated_runs import Bounds, Rerun
from nnea_graph.runtime.perturb.weight_override import WeightOverrideSession
from nnea_graph.static.dims import symbolic_inputs

KEPT_BY_HAN = {"fc1": 0.08, "fc2": 0.09, "fc3": 0.26}
"""Han et al. 2015, "Learning both Weights and Connections", table 3."""
SEED, BATCH, RATE, DECAY, EPOCHS = 0, 128, 0.05, 1e-4, 20

Array = NDArray[Any]


class LeNet(nn.Module):
    """Dense layers of 300, 100 and 10 with ReLU between."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 300), nn.Linear(300, 100), nn.Linear(100, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, 784] pixels in [0, 1] to [N, 10] scores."""
        hidden: torch.Tensor = self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))
        return hidden


def main(path: str, epochs: int) -> None:
    with np.load(path) as mnist:
        images = {part: pixels(mnist[f"x_{part}"]) for part in ("train", "test")}
        labels = {part: mnist[f"y_{part}"].astype(np.int64) for part in ("train", "test")}
    model = trained(images["train"], labels["train"], epochs)
    data = {"x": images["test"], "labels": labels["test"]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lenet_300_100.onnx"
        batch = torch.export.Dim("batch")
        torch.onnx.export(
            model,
            (torch.zeros(2, 784),),
            file,
            input_names=["x"],
            dynamic_shapes=({0: batch},),
            verbose=False,
        )
        graph, report = analyzed(file, data)
        print(render_text(report, width=100))
        table(graph, report, data)


def pixels(images: Array) -> Array:
    return (images.reshape(len(images), -1) / 255).astype(np.float32)


def trained(x: Array, y: Array, epochs: int) -> LeNet:
    torch.manual_seed(SEED)
    model = LeNet()
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    images, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(len(images)), BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(model(images[chosen]), labels[chosen]))
            optimizer.step()
        schedule.step()
    return model.eval()


def analyzed(file: Path, data: dict[str, Array]) -> tuple[ModelGraph, Report]:
    request = AnalysisRequest(source=file, data=data, passes="+sensitivity{seconds=600}", batch_size=1000)
    opened = request.open()
    return opened.graph, report_on(opened)[0]


def table(graph: ModelGraph, report: Report, data: dict[str, Array]) -> None:
    """Each layer cut to what Han kept, alone; then all at once."""
    layers = {}
    for layer in report.layers:
        found = removable_of(graph, graph.node(layer.id))
        assert isinstance(found, Removable)
        layers[layer.scope or layer.id] = found
    session = WeightOverrideSession(
        graph, {slot: each for layer in layers.values() for slot, each in layer.constants().items()}
    )
    rerun = Rerun(session, open_data(data, symbolic_inputs(graph)), 1000, Bounds())
    whole = rerun.change({})
    assert whole is not None
    assert whole.accuracy is not None
    print(
        f"\nLeNet-300-100, {100 * whole.accuracy:.2f} % on {rerun.samples:,} test images; points of accuracy lost"
    )
    print(f"{'':10}{'Han keeps':>10}{'here, < 1 point':>17}" + "".join(f"{name:>12}" for name in CRITERIA))
    cuts = {name: 1 - kept for name, kept in KEPT_BY_HAN.items()}
    for name, share in cuts.items():
        losses = [lost(rerun, session, {layers[name]: Ablation("weights", each, share)}) for each in CRITERIA]
        (shown,) = [each for each in report.layers if (each.scope or each.id) == name]
        kept = 1 - (shown.sensitivity.removable_weights or 0 if shown.sensitivity else 0)
        print(f"{name:10}{100 - 100 * share:>8.0f} %{100 * kept:>15.0f} %" + figures(losses, whole.accuracy))
    together = [
        lost(rerun, session, {layers[name]: Ablation("weights", each, share) for name, share in cuts.items()})
        for each in CRITERIA
    ]
    print(f"{'all three':35}  {figures(together, whole.accuracy)}")


def lost(rerun: Rerun, session: WeightOverrideSession, cuts: dict[Removable, Ablation]) -> float:
    """Accuracy with these cuts."""
    altered = {
        slot: values
        for layer, cut in cuts.items()
        for slot, values in zeroed(layer, session.originals, cut, SEED).items()
    }
    change = rerun.change(altered)
    assert change is not None
    assert change.accuracy is not None
    return change.accuracy


def figures(accuracies: list[float], whole: float) -> str:
    return "".join(f"{100 * (whole - each):>12.2f}" for each in accuracies)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else EPOCHS)
