"""Attention as torch exports it, and as onnxruntime fuses that: heads and hidden channels go, nothing else changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from onnxruntime.transformers import optimizer
from oracles.prunable_facts import coupled, some
from oracles.prunable_oracle import distance, feeds_of, masked, run, without
from torch import Tensor, nn

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned

WIDTH, HEADS = 24, 6


class Grouped(nn.Module):
    """Root-mean-square normalization, rotated queries and keys, fewer heads of keys and values, a gated layer."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.norm, self.norm2 = nn.RMSNorm(WIDTH, eps=1e-5), nn.RMSNorm(WIDTH, eps=1e-5)
        self.size, self.groups = WIDTH // HEADS, groups
        self.q, self.o = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH)
        self.k, self.v = nn.Linear(WIDTH, groups * self.size), nn.Linear(WIDTH, groups * self.size)
        self.up, self.down = nn.Linear(WIDTH, 80), nn.Linear(40, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = (
            self.heads(made, count)
            for made, count in ((self.q(y), HEADS), (self.k(y), self.groups), (self.v(y), self.groups))
        )
        grouped = self.groups < HEADS
        y = nn.functional.scaled_dot_product_attention(
            self.turned(q), self.turned(k), v, is_causal=True, enable_gqa=grouped
        )
        x = x + self.o(y.transpose(1, 2).flatten(2))
        gate, value = self.up(self.norm2(x)).chunk(2, -1)
        total: Tensor = x + self.down(nn.functional.silu(gate) * value)
        return total

    def heads(self, x: Tensor, count: int) -> Tensor:
        return x.view(*x.shape[:2], count, self.size).transpose(1, 2)

    def turned(self, x: Tensor) -> Tensor:
        angles = torch.arange(x.shape[2])[:, None] * torch.tensor([1.0, 0.1])
        angles = torch.cat([angles, angles], -1)
        one, other = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-other, one], -1) * angles.sin()


class Model(nn.Module):
    """Embedded, blocks, a head on every token."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.embedding, self.blocks = nn.Embedding(30, WIDTH), nn.Sequential(*blocks)
        self.head = nn.Linear(WIDTH, 7)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.embedding(tokens)))
        return logits


class Attended(nn.Module):
    """nn.MultiheadAttention beside a sum; its heads lie folded in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.attention(*[self.norm(x)] * 3)[0]
        return total


def _encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(WIDTH, HEADS, 48, batch_first=True, activation="gelu")


def _exported(block: nn.Module, opset: int) -> ModelProto:
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            Model(block).eval(),
            (torch.zeros(2, 5, dtype=torch.int64),),
            dynamo=True,
            verbose=False,
            opset_version=opset,
            dynamic_shapes=({0: "batch", 1: "length"},),
        )
    assert program is not None
    model: ModelProto = program.model_proto
    return model


@pytest.mark.parametrize(
    ("block", "opset", "families"),
    [
        pytest.param(lambda: Grouped(2), 18, {(24, 1), (2, 12), (40, 2)}, id="grouped"),
        pytest.param(lambda: Grouped(2), 23, {(24, 1), (2, 12), (40, 2)}, id="one operator"),
        pytest.param(Attended, 18, {(6, 12)}, id="nn.MultiheadAttention"),
        pytest.param(_encoder, 18, {(6, 12), (48, 1)}, id="nn.TransformerEncoderLayer"),
    ],
)
def test_half_of_all_heads_and_channels_go(
    block: Callable[[], nn.Module], opset: int, families: set[tuple[int, int]]
) -> None:
    """``families`` are groups and channels a group: the stream, heads, the hidden layer."""
    torch.manual_seed(0)
    model = _exported(block(), opset)
    graph, coupling = coupled(model, batch=2, length=5)
    assert {(len(family.groups), family.channels) for family in coupling.families} == families
    kept = kept_slots(coupling, some(coupling, 0.5))
    small = pruned(graph, kept)
    onnx.checker.check_model(small, full_check=True)
    feeds = feeds_of(model, 0, {"batch": 2, "length": 5})
    assert distance(run(small, feeds)[0], run(masked(model, kept, graph[SHAPES].types), feeds)[0]) < 1e-5
    feeds = feeds_of(model, 0, {"batch": 3, "length": 9})
    assert distance(run(small, feeds)[0], run(without(model, kept), feeds)[0]) < 1e-5


class Encoder(nn.Module):
    """BERT's attention with a mask, as onnxruntime's optimizer knows it."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3)), nn.Linear(WIDTH, WIDTH)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.up, self.down = nn.Linear(WIDTH, 48), nn.Linear(48, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = (
            layer(x).view(batch, length, HEADS, WIDTH // HEADS).permute(0, 2, 1, 3) for layer in self.qkv
        )
        scores = torch.matmul(q, k.transpose(-1, -2)) / (WIDTH // HEADS) ** 0.5 + mask
        y = torch.matmul(scores.softmax(-1), v).permute(0, 2, 1, 3).contiguous().view(batch, length, WIDTH)
        x = self.norms[0](x + self.out(y))
        total: Tensor = self.norms[1](x + self.down(nn.functional.gelu(self.up(x))))
        return total


class Bert(nn.Module):
    """Words and places, one block, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, WIDTH), nn.Embedding(16, WIDTH)
        self.norm, self.block, self.head = nn.LayerNorm(WIDTH), Encoder(), nn.Linear(WIDTH, 7)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.words(tokens) + self.places(torch.arange(tokens.shape[1])[None]))
        logits: Tensor = self.head(self.block(x, (1.0 - mask[:, None, None, :].float()) * -1e4))
        return logits


def test_what_the_optimizer_of_onnxruntime_has_fused_loses_heads(tmp_path: Path) -> None:
    """In a model of opset 14 it writes LayerNormalization, which that opset has not."""
    torch.manual_seed(0)
    ids, names, path = torch.ones(2, 8, dtype=torch.int64), ["tokens", "mask"], str(tmp_path / "bert.onnx")
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            Bert().eval(),
            (ids, ids),
            path,
            dynamo=False,
            opset_version=14,
            input_names=names,
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        )
        fused = optimizer.optimize_model(path, "bert", num_heads=HEADS, hidden_size=WIDTH, opt_level=0)
    model: ModelProto = fused.model
    assert [node.op_type for node in model.graph.node].count("Attention") == 1
    graph, coupling = coupled(model, batch=2, length=5)
    assert [(len(family.groups), family.channels) for family in coupling.families] == [(6, 4), (48, 1)]
    kept = kept_slots(coupling, some(coupling, 0.5))
    small = pruned(graph, kept)
    for sizes in ({"batch": 2, "length": 5}, {"batch": 3, "length": 9}):
        feeds = feeds_of(model, 0, sizes)
        feeds["mask"] = (feeds["mask"] > 1).astype(np.int64)
        assert distance(run(small, feeds)[0], run(without(model, kept), feeds)[0]) < 1e-5
