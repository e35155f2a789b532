"""Small torch models of every kind that an exporter treats in its own way, and examples of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Make = Callable[[], nn.Module]
Shapes = Mapping[str, Sequence[int]]


class MLP(nn.Module):
    """The network of the README: 20-128-64-10."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(20, 128), nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))
        return out


class NormalizedCNN(nn.Module):
    """BatchNorm after a convolution with a bias and after one without; Dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, stride=2, bias=False), nn.BatchNorm2d(16)
        self.drop, self.fc = nn.Dropout(0.3), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.fc(self.drop(x.mean((2, 3))))
        return out


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = (
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.conv2, self.bn2 = (
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(x + inner)


class Residual(nn.Module):
    """A stem, two blocks, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(8), Block(8))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.blocks(self.stem(x)).mean((2, 3)))
        return out


class Recurrent(nn.Module):
    """A bidirectional LSTM of two layers and a head on its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 12, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.lstm(x)
        out: Tensor = self.head(steps[:, -1])
        return out


class CrossAttention(nn.Module):
    """Queries from one input, keys and values from another: the packed weight is cut in parts."""

    def __init__(self) -> None:
        super().__init__()
        self.mha, self.out = nn.MultiheadAttention(16, 4, batch_first=True), nn.Linear(16, 2)

    def forward(self, query: Tensor, memory: Tensor) -> Tensor:
        mixed, _ = self.mha(query, memory, memory, need_weights=False)
        out: Tensor = self.out(mixed)
        return out


class TiedLM(nn.Module):
    """The head's weight is the embedding's; positions are a parameter of the model itself."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lin = nn.Embedding(50, 16), nn.Linear(16, 16)
        self.positions = nn.Parameter(torch.zeros(8, 16))
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.head(torch.tanh(self.lin(self.embed(ids) + self.positions[: ids.shape[1]])))
        return out


class Thrice(nn.Module):
    """One module, used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.again, self.out = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.relu(self.again(x))
        out: Tensor = self.out(x)
        return out


class Several(nn.Module):
    """Two inputs and one that may be left out; a dict with a tuple comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.lin = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, ids: Tensor, extra: Tensor, scale: Tensor | None = None) -> dict[str, Any]:
        hidden = self.table(ids).mean(1) + extra
        if scale is not None:
            hidden = hidden * scale
        return {"out": self.lin(hidden), "more": (hidden, hidden * 2)}


def encoder() -> nn.Module:
    """Two layers of torch's own."""
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)


MODELS: dict[str, tuple[Make, Shapes]] = {
    "mlp": (MLP, {"x": (2, 20)}),
    "cnn": (NormalizedCNN, {"x": (2, 3, 12, 12)}),
    "residual": (Residual, {"x": (2, 3, 8, 8)}),
    "encoder": (encoder, {"src": (2, 7, 32)}),
    "lstm": (Recurrent, {"x": (2, 5, 8)}),
    "attention": (CrossAttention, {"query": (2, 5, 16), "memory": (2, 7, 16)}),
    "tied": (TiedLM, {"ids": (2, 8)}),
    "thrice": (Thrice, {"x": (2, 8)}),
}
"""How to make each, and the shapes of its inputs; ``ids`` are whole numbers."""


def example(shapes: Shapes) -> dict[str, Tensor]:
    """Seeded inputs."""
    made = torch.Generator().manual_seed(1)
    return {
        name: torch.randint(0, 2, tuple(shape), generator=made)
        if name == "ids"
        else torch.randn(tuple(shape), generator=made)
        for name, shape in shapes.items()
    }


def trained(module: nn.Module, inputs: Mapping[str, Tensor], steps: int = 3) -> nn.Module:
    """The module after a few steps, so that no two of its weights are equal by construction."""
    optimizer = torch.optim.SGD(module.parameters(), 0.05)
    module.train()
    for _ in range(steps):
        optimizer.zero_grad()
        out = module(**inputs)
        (out - torch.linspace(-1, 1, out.numel()).reshape(out.shape)).square().mean().backward()
        optimizer.step()
    return module
