"""Attention as one operator loses heads, or the same numbers of each, and gives what it gave with these zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from model_zoo.prunable_fused import FUSED, MICROSOFT, unpacked
from model_zoo.prunable_token_nets import Block, token_net
from model_zoo.prunable_tokens import TokenNet
from onnx import ModelProto, TensorProto
from oracles.prunable_facts import coupled, differing, some
from oracles.prunable_oracle import distance, feeds_of, masked, run, without

from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned

pytestmark = pytest.mark.cpu


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("block", FUSED, ids=lambda block: block.__name__)
def test_pruning_at_random_equals_the_original_with_these_channels_zero(block: Block, seed: int) -> None:
    model, net = token_net(seed, (block,))
    graph, coupling = coupled(model, **net.sizes())
    assert not differing(coupling, net)
    kept = kept_slots(coupling, some(coupling, 0.5, seed))
    small = pruned(graph, kept)
    onnx.checker.check_model(small, full_check=True)
    model, small = unpacked(model), unpacked(small)
    feeds = feeds_of(model, seed, net.sizes())
    got, whole = (run(each, feeds)[0] for each in (small, model))
    # Biases are zero as well: some are added inside of an operator.
    expected = run(masked(without(model, kept), kept, graph[SHAPES].types), feeds)[0]
    assert distance(got, expected) < 1e-5
    assert distance(got, whole) > 1e-3
    assert np.isfinite(got).all()
    if net.keeps_zeros:
        for more in (0, 2):
            other = feeds_of(model, seed, net.sizes(more))
            assert distance(run(small, other)[0], run(without(model, kept), other)[0]) < 1e-5


def _cached(repeats: int) -> ModelProto:
    """One new token beside a cache of three, which is an input and an output of the model."""
    net, width, shared, size = TokenNet(3), 12, 2, 8
    x = net.input("x", "batch", 1, width)
    q, k, v = (
        net.op("MatMul", x, net.weight(width, count * size, fan=width))
        for count in (shared * repeats, shared, shared)
    )
    past = [net.input(name, "batch", shared, 4, size) for name in ("keys", "values")]
    last = net.op("Expand", net.constant([3], np.int32), *net.sizes_of(x, 0))
    y, *present = net.ops(
        "GroupQueryAttention", q, k, v, *past, last, net.constant(4, np.int32),
        count=3, domain=MICROSOFT, num_heads=shared * repeats, kv_num_heads=shared,
    )  # fmt: skip
    return net.model(net.op("MatMul", y, net.weight(shared * repeats * size, 5, fan=48)), *present)


def test_beside_a_cache_heads_of_queries_go_alike_from_every_group() -> None:
    model = _cached(3)
    graph, coupling = coupled(model, batch=2)
    (family,) = coupling.families
    assert (family.layers, len(family.groups), family.channels) == (("MatMul_1",), 3, 16)
    kept = kept_slots(coupling, family.groups[1:2])
    small, feeds = pruned(graph, kept), feeds_of(model, 0, {"batch": 3})
    for got, expected in zip(run(small, feeds), run(without(model, kept), feeds), strict=True):
        assert distance(got, expected) < 1e-5


def test_beside_a_cache_of_every_head_all_stay() -> None:
    _, coupling = coupled(_cached(1), batch=2)
    assert not coupling.families
    assert {pin.reason for pin in coupling.pinned} == {
        "output of the model",
        "goes with an output of the model",
    }


def _embedded() -> ModelProto:
    net = TokenNet(0)
    tokens = net.input("x", "batch", 6, dtype=TensorProto.INT32)
    tables = [net.weight(rows, 8) for rows in (11, 6)]
    norm = [net.positive(8), net.weight(8)]
    x = net.ops("EmbedLayerNormalization", tokens, "", *tables, "", *norm, count=2, domain=MICROSOFT)[0]
    y = net.op("MatMul", net.op("Relu", net.op("MatMul", x, net.weight(8, 12))), net.weight(12, 8))
    y = net.op("SkipLayerNormalization", x, y, *norm, domain=MICROSOFT)
    return net.model(net.op("MatMul", y, net.weight(8, 5)))


def _packed_blocks() -> ModelProto:
    net = TokenNet(0)
    x = net.op("MatMul", net.input("x", "batch", 6), net.weight(6, 32))
    weight = net.constant(net.random.integers(0, 256, (32, 1, 16)), np.uint8)
    settings: dict[str, Any] = {"K": 32, "N": 32, "bits": 4, "block_size": 32}
    y = net.op("MatMulNBits", x, weight, net.weight(32), domain=MICROSOFT, **settings)
    return net.model(net.op("MatMul", y, net.weight(32, 5)))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        pytest.param(
            _embedded(), "EmbedLayerNormalization: normalization over the channels mixes them", id="embedding"
        ),
        pytest.param(_packed_blocks(), "MatMulNBits: its weights are packed in blocks", id="blocks"),
    ],
)
def test_what_stays_whole_says_why(model: ModelProto, reason: str) -> None:
    assert {pin.reason for pin in coupled(model, batch=2)[1].pinned} == {"output of the model", reason}
