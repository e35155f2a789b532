"""Trains the networks that bench_pruning.py makes smaller, and writes each with labeled data beside it.

Run by hand: python tests/benchmarks/pruning_nets.py TASK DATA FOLDER [SEED]
TASK is one of mnist-cnn, mnist-lenet, fashion-cnn, fashion-lenet (DATA: an .npz or a folder of IDX files) and
cifar-residual (DATA: an .npz of JPEG files).
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

Array = NDArray[Any]

BATCH, CALIBRATION = 128, 5000
"""Samples a step, and how many of the training set calibrate the pruning."""


@dataclass(frozen=True)
class Images:
    """Pixels in [0, 1] as N×C×H×W float32 and classes as int64."""

    train: Array
    train_labels: Array
    test: Array
    test_labels: Array


def two_convolutions() -> nn.Module:
    """5×5 of 32 and 64 channels, dense 256 and 10, for 28×28."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1024, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def lenet_300_100() -> nn.Module:
    """Dense layers only."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


class Block(nn.Module):
    """Two 3×3 convolutions with BatchNorm beside an identity, or a 1×1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            skip = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.skip = nn.Sequential(skip, nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """N×C×H×W to N×channels×H/stride×W/stride."""
        inner = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(inner + self.skip(x))


def residual_net() -> nn.Module:
    """A stem and four residual blocks for 32×32 in three colors."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, 1, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Block(32, 32, 1),
        Block(32, 64, 2),
        Block(64, 64, 1),
        Block(64, 128, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def mnist(path: Path) -> Images:
    """An .npz of ``x_train, y_train, x_test, y_test``."""
    with np.load(path) as found:
        return Images(
            _gray(found["x_train"]),
            found["y_train"].astype(np.int64),
            _gray(found["x_test"]),
            found["y_test"].astype(np.int64),
        )


def fashion(folder: Path) -> Images:
    """A folder of gzipped IDX files, as Debian's dataset-fashion-mnist installs them."""

    def idx(name: str, header: int) -> Array:
        return np.frombuffer(gzip.decompress((folder / f"{name}.gz").read_bytes()), np.uint8, offset=header)

    return Images(
        _gray(idx("train-images-idx3-ubyte", 16).reshape(-1, 28, 28)),
        idx("train-labels-idx1-ubyte", 8).astype(np.int64),
        _gray(idx("t10k-images-idx3-ubyte", 16).reshape(-1, 28, 28)),
        idx("t10k-labels-idx1-ubyte", 8).astype(np.int64),
    )


def cifar(path: Path) -> Images:
    """An .npz of JPEG files end to end."""
    with np.load(path) as found:
        return Images(
            _decoded(found["train_jpeg"], found["train_end"]),
            found["train_label"].astype(np.int64),
            _decoded(found["test_jpeg"], found["test_end"]),
            found["test_label"].astype(np.int64),
        )


def _gray(pixels: Array) -> Array:
    return (pixels[:, None] / 255).astype(np.float32)


def _decoded(jpeg: Array, ends: Array) -> Array:
    starts = np.concatenate([[0], ends[:-1]])
    images = [
        np.asarray(Image.open(io.BytesIO(jpeg[start:end].tobytes())))
        for start, end in zip(starts, ends, strict=True)
    ]
    return (np.stack(images).transpose(0, 3, 1, 2) / 255).astype(np.float32)


@dataclass(frozen=True)
class Task:
    """A network, what it is trained on, and how; ``moved`` augments by flips and shifts."""

    net: Callable[[], nn.Module]
    data: Callable[[Path], Images]
    epochs: int
    rate: float
    moved: bool = False


TASKS = {
    "mnist-cnn": Task(two_convolutions, mnist, 4, 0.05),
    "mnist-lenet": Task(lenet_300_100, mnist, 12, 0.1),
    "fashion-cnn": Task(two_convolutions, fashion, 8, 0.05),
    "fashion-lenet": Task(lenet_300_100, fashion, 12, 0.1),
    "cifar-residual": Task(residual_net, cifar, 14, 0.1, moved=True),
}


def train(net: nn.Module, images: Images, task: Task, seed: int, epochs: int | None = None) -> None:
    """SGD with momentum and one cycle of the learning rate; left in eval mode."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    epochs = epochs or task.epochs
    steps = epochs * (len(images.train) // BATCH)
    optimizer = torch.optim.SGD(net.parameters(), task.rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, task.rate, total_steps=steps, pct_start=0.25)
    net.train()
    for epoch in range(epochs):
        for x, y in _batches(images, rng, moved=task.moved):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        sys.stderr.write(f"epoch {epoch + 1}: {accuracy(net, images):.4f}\n")
        net.train()
    net.eval()


def _batches(
    images: Images, rng: np.random.Generator, *, moved: bool
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = rng.permutation(len(images.train))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        x = torch.from_numpy(images.train[chosen])
        yield _moved(x, rng) if moved else x, torch.from_numpy(images.train_labels[chosen])


def _moved(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Half of the images mirrored, all shifted by up to four pixels."""
    mirrored = torch.from_numpy(rng.random(len(x)) < 0.5)
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    padded = nn.functional.pad(x, (4, 4, 4, 4), mode="reflect")
    size, shifts = x.shape[2], rng.integers(0, 9, (len(x), 2))
    return torch.stack(
        [image[:, a : a + size, b : b + size] for image, (a, b) in zip(padded, shifts, strict=True)]
    )


def accuracy(net: nn.Module, images: Images) -> float:
    """On the test set, in eval mode."""
    net.eval()
    with torch.no_grad():
        found = [net(torch.from_numpy(part)).argmax(1) for part in np.split(images.test, 20)]
    return float((torch.cat(found).numpy() == images.test_labels).mean())


def write(net: nn.Module, images: Images, name: str, folder: Path) -> None:
    """The network as NAME.onnx and NAME.pt, calibration and test data as .npz files."""
    folder.mkdir(parents=True, exist_ok=True)
    example = torch.from_numpy(images.test[:2])
    torch.save(net.state_dict(), folder / f"{name}.pt")
    torch.onnx.export(
        net,
        (example,),
        folder / f"{name}.onnx",
        dynamo=True,
        verbose=False,
        external_data=False,
        input_names=["x"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    some = np.random.default_rng(0).permutation(len(images.train))[:CALIBRATION]
    np.savez(folder / f"{name}.calibration.npz", x=images.train[some], labels=images.train_labels[some])
    np.savez(folder / f"{name}.test.npz", x=images.test, labels=images.test_labels)


def main(name: str, data: str, folder: str, seed: str = "0") -> None:
    task = TASKS[name]
    images = task.data(Path(data))
    torch.manual_seed(int(seed))
    net = task.net()
    train(net, images, task, int(seed))
    write(net, images, f"{name}-{seed}", Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
