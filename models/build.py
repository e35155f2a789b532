"""Trains the three digit networks of this folder and writes them, and the data they are tested on, beside it.

The same machine gives the same bytes every time: one thread, fixed seeds, deterministic kernels.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

HERE = Path(__file__).parent
SEED = 0
BATCH = 64
LEARNING_RATE = 2e-3
OPSET = 20  # the first with Gelu as one operator
PARITY = 1e-5
LEAK = re.compile(r"(^|[\s'\"=(])/[\w.-]+/[\w.-]|site-packages|\.py")  # an absolute path, or a piece of one
STACK_TRACE = "pkg.torch.onnx.stack_trace"


class DigitsMlp(nn.Module):
    """Three dense layers, far wider than digits need: hidden sizes picked by habit."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 10] of images [N, 1, 8, 8]."""
        hidden = functional.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc3(functional.relu(self.fc2(hidden)))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, each normalized before it (ResNet v2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        hidden = self.conv1(functional.relu(self.norm1(x)))
        total: Tensor = x + self.conv2(functional.relu(self.norm2(hidden)))
        return total


class DigitsCnn(nn.Module):
    """Stem, residual block, separable convolution with a wide pointwise layer, global pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 32, 3, padding=1)
        self.block = ResidualBlock(32)
        self.norm = nn.BatchNorm2d(32)  # after an addition: no exporter can fold it into a convolution
        self.depthwise = nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=32, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(32)
        self.pointwise = nn.Conv2d(32, 128, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(128)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 10] of images [N, 1, 8, 8]."""
        hidden = functional.relu(self.norm(self.block(self.stem(x))))
        hidden = functional.relu(self.depthwise_norm(self.depthwise(hidden)))
        hidden = functional.relu(self.pointwise_norm(self.pointwise(hidden)))
        logits: Tensor = self.head(self.dropout(self.pool(hidden).flatten(1)))
        return logits


class DigitsTransformer(nn.Module):
    """Encoder over the 8 pixel rows as tokens, positions learned; the class is read off the tokens' mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 48)
        self.position = nn.Parameter(torch.randn(1, 8, 48) / 2)
        layer = nn.TransformerEncoderLayer(
            48, 4, dim_feedforward=192, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(48), enable_nested_tensor=False)
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 10] of images [N, 1, 8, 8]."""
        tokens = self.embed(x.squeeze(1)) + self.position
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits


@dataclass(frozen=True)
class Recipe:
    """How one network is made, and what the README says of its layers."""

    architecture: type[nn.Module]
    epochs: int
    layers: str


RECIPES = {
    "digits_mlp": Recipe(DigitsMlp, 60, "MLP: flatten, 64-256-128-10, ReLU"),
    "digits_cnn": Recipe(
        DigitsCnn,
        20,
        "CNN: 3x3 stem (32), pre-activation residual block (2 x 3x3), 3x3 depthwise (stride 2), "
        "1x1 pointwise (128), BatchNorm and ReLU throughout, global mean, Dropout, 128-10",
    ),
    "digits_transformer": Recipe(
        DigitsTransformer,
        60,
        "Transformer encoder: 8 rows as tokens, width 48, learned positions, 2 layers of 4-head attention "
        "and 48-192-48 with GELU, LayerNorm first, mean over tokens, 48-10",
    ),
}


@dataclass(frozen=True)
class Split:
    """Images [N, 1, 8, 8] float32 in [0, 1] and labels [N] int64."""

    x: Tensor
    labels: Tensor


def load_splits() -> tuple[Split, Split]:
    """Three quarters of scikit-learn's 1797 digits to train on, 450 held out, in equal class shares."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    parts = train_test_split(images, digits.target, test_size=0.25, stratify=digits.target, random_state=SEED)
    x_train, x_test, y_train, y_test = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
    return Split(x_train, y_train), Split(x_test, y_test)


def build_module(name: str) -> nn.Module:
    """The untrained network ``name``, its weights drawn from the fixed seed."""
    torch.manual_seed(SEED)
    return RECIPES[name].architecture()


def train(module: nn.Module, epochs: int, data: Split) -> None:
    """AdamW on batches of 64, the learning rate rising and falling once; leaves ``module`` in eval mode."""
    optimizer = torch.optim.AdamW(module.parameters())
    steps = epochs * -(-len(data.x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps)
    module.train()
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(len(data.x)), BATCH):
            loss = functional.cross_entropy(module(data.x[chosen]), data.labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    module.eval()


def without_leaks(proto: onnx.ModelProto) -> onnx.ModelProto:
    """``proto`` without doc strings, stack traces and every other text that names a file of this machine."""
    graph = proto.graph
    for holder in (
        proto,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        holder.ClearField("doc_string")
        kept = [entry for entry in holder.metadata_props if not leaks(entry)]
        del holder.metadata_props[:]
        holder.metadata_props.extend(kept)
    return proto


def leaks(entry: onnx.StringStringEntryProto) -> bool:
    """Whether ``entry`` tells where, or from which source, the model was built."""
    return entry.key == STACK_TRACE or LEAK.search(entry.value) is not None


def export(module: nn.Module, path: Path) -> None:
    """Writes ``module`` as checked ONNX from ``x`` [batch, 1, 8, 8] to ``logits`` [batch, 10]."""
    program = torch.onnx.export(
        module,
        (torch.zeros(2, 1, 8, 8),),
        dynamo=True,
        verbose=False,
        external_data=False,
        opset_version=OPSET,
        input_names=["x"],
        output_names=["logits"],
        dynamic_shapes=({0: "batch"},),
    )
    if program is None:
        raise RuntimeError(f"torch.onnx.export returned no program for {path.name}: use torch 2.9 or newer")
    proto = without_leaks(program.model_proto)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def run(path: Path, x: Tensor) -> Tensor:
    """What onnxruntime says the logits [N, 10] of ``x`` are."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"x": x.numpy()})[0])


def verify(module: nn.Module, path: Path, test: Split) -> float:
    """The file's accuracy on ``test``, a share of 1, once its logits are known to be those of ``module``."""
    logits = run(path, test.x)
    with torch.no_grad():
        difference = float((module(test.x) - logits).abs().max())
    if difference > PARITY:
        raise RuntimeError(
            f"{path.name} differs from torch by {difference:.2e}, more than {PARITY}: do not use it"
        )
    return float((logits.argmax(1) == test.labels).double().mean())


def parameter_count(module: nn.Module) -> int:
    """How many numbers were trained; running means and variances are not among them."""
    return sum(parameter.numel() for parameter in module.parameters())


def readme_row(path: Path, *columns: str) -> str:
    """One Markdown table row: the file, ``columns``, its bytes and its sha256."""
    data = path.read_bytes()
    cells = (f"`{path.name}`", *columns, f"{len(data):,}", f"`{hashlib.sha256(data).hexdigest()}`")
    return f"| {' | '.join(cells)} |"


def build_model(name: str, folder: Path, train_data: Split, test: Split) -> str:
    """Trains, writes and verifies ``folder/name.onnx``; its README row."""
    recipe, module, path = RECIPES[name], build_module(name), folder / f"{name}.onnx"
    train(module, recipe.epochs, train_data)
    export(module, path)
    accuracy = verify(module, path, test)
    return readme_row(path, recipe.layers, f"{accuracy:.2%}", f"{parameter_count(module):,}")


def build_data(folder: Path, test: Split) -> str:
    """Writes ``folder/digits.npz``; its README row."""
    path = folder / "digits.npz"
    np.savez_compressed(path, x=test.x.numpy(), labels=test.labels.numpy())
    return readme_row(path, "`x` float32 [450, 1, 8, 8] in [0, 1], `labels` int64 [450]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-o", "--output", type=Path, default=HERE, help="folder to write to (default: this one)"
    )
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    train_data, test = load_splits()
    for name in RECIPES:
        print(build_model(name, folder, train_data, test))
    print(build_data(folder, test))


if __name__ == "__main__":
    main()
