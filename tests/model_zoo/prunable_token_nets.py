"""Blocks of token networks, each with what it ties together, and networks of a few of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, TensorProto

from model_zoo.prunable import Flow
from model_zoo.prunable_attention import ATTENTIONS
from model_zoo.prunable_tokens import VOCABULARY, TokenNet

Block = Callable[[TokenNet, Flow], Flow]


def feed_forward(net: TokenNet, x: Flow) -> Flow:
    return net.added(x, net.active(net.project(net.normed(x), net.pick(12, 20))))


def gated(net: TokenNet, x: Flow) -> Flow:
    """Two layers, one the gate of the other."""
    y = net.normed(x)
    one, other = net.active(net.project(y, 14)), net.project(y, 14)
    net.channels.tie_all(one.ids, other.ids)
    return net.added(x, net.seen(net.op("Mul", one.name, other.name), one.ids))


def gated_split(net: TokenNet, x: Flow) -> Flow:
    """Both halves of one layer, taken apart by Split, by Slice (also with a computed bound), or by an axis of two."""
    y = net.project(net.normed(x), 20)
    kind = net.pick("Split", "Slice", "bounds", "axis")
    if kind == "Split":
        names = net.ops("Split", y.name, *net.pick([], [net.ints(10, 10)]), count=2, axis=-1)
        if len(net.nodes[-1].input) == 1:
            net.nodes[-1].attribute.add(name="num_outputs", i=2, type=2)
    elif kind == "Slice":
        names = [net.op("Slice", y.name, net.ints(at), net.ints(at + 10), net.ints(2)) for at in (0, 10)]
    elif kind == "bounds":
        length = net.sizes_of(x.name, 1)
        cuts = [
            [net.ints(at, 0), net.op("Concat", net.ints(at + 10), *length, axis=0), net.ints(2, 1)]
            for at in (0, 10)
        ]
        names = [net.op("Slice", y.name, *cut) for cut in cuts]
    else:
        pairs = net.shaped(y.name, y.name, 2, 10)
        names = [net.op("Gather", pairs, net.constant(at, np.int64), axis=2) for at in (0, 1)]
    one, other = (net.seen(name, y.ids[at * 10 :][:10]) for at, name in enumerate(names))
    net.channels.tie_all(one.ids, other.ids)
    gate = net.active(one)
    return net.added(x, net.seen(net.op("Mul", gate.name, other.name), one.ids))


def token_mixer(net: TokenNet, x: Flow) -> Flow:
    """A dense layer over the tokens of every channel: tokens stay, what lies between two such layers may go."""
    if not net.tokens:
        return feed_forward(net, x)
    y = Flow(net.op("Transpose", net.normed(x).name, perm=[0, 2, 1]), x.ids, 1)
    hidden = net.op("Relu", net.op("MatMul", y.name, net.weight(net.tokens, 8, fan=net.tokens)))
    net.seen(hidden, net.channels.fresh(8))
    y = net.seen(net.op("MatMul", hidden, net.weight(8, net.tokens, fan=8)), x.ids, 1)
    return net.seen(net.op("Add", x.name, net.op("Transpose", y.name, perm=[0, 2, 1])), x.ids)


def convolved(net: TokenNet, x: Flow) -> Flow:
    """Neighboring tokens by a depthwise convolution, as conformers do it: halves gate, channels come second."""
    y = net.project(net.normed(x), 16)
    y = Flow(net.op("Transpose", y.name, perm=[0, 2, 1]), y.ids, 1)
    names = net.ops("Split", y.name, net.ints(8, 8), count=2, axis=1)
    one, other = (net.seen(name, y.ids[at * 8 :][:8], 1) for at, name in enumerate(names))
    net.channels.tie_all(one.ids, other.ids)
    z = net.op("Mul", one.name, net.op("Sigmoid", other.name))
    z = net.op("Conv", z, net.weight(8, 1, 3, fan=3), group=8, pads=[1, 1])
    return net.added(x, net.seen(net.op("Transpose", z, perm=[0, 2, 1]), one.ids))


BLOCKS: tuple[Block, ...] = (*ATTENTIONS, feed_forward, gated, gated_split, token_mixer, convolved)


def embedded(net: TokenNet, width: int) -> tuple[Flow, str]:
    """Rows of a table, or tokens that are projected; and the table, if there is one."""
    ids = net.channels.fresh(width)
    if net.pick(0, 1):
        x = net.input("x", "batch", net.tokens or "tokens", 7)
        given = net.channels.fresh(7)
        net.channels.pin(given)
        flow, table = net.project(Flow(x, given, 2), width, ids), ""
    else:
        tokens = net.input("x", "batch", net.tokens or "tokens", dtype=TensorProto.INT64)
        table = net.weight(VOCABULARY, width)
        flow = net.seen(net.op("Gather", table, tokens), ids)
    if net.tokens and net.pick(0, 1):
        flow = net.seen(net.op("Add", flow.name, net.weight(net.tokens, width)), ids)
    return flow, table


def _ended(net: TokenNet, x: Flow, table: str) -> tuple[str, list[int | str]]:
    """Logits of every token, by the table or by a layer; or of all tokens, by their mean or by the first."""
    tokens: list[int | str] = ["batch", net.tokens or "tokens"]
    kind = net.pick("tied", "logits", "mean", "first")
    if kind == "tied" and table:
        y = net.op("MatMul", x.name, net.op("Transpose", table, perm=[1, 0]))
        return net.output(Flow(y, net.channels.fresh(VOCABULARY), 2)), [*tokens, VOCABULARY]
    if kind in {"tied", "logits"}:
        return net.output(net.project(x, VOCABULARY)), [*tokens, VOCABULARY]
    if kind == "mean":
        y = net.op("ReduceMean", x.name, net.ints(1), keepdims=0)
    else:
        y = net.op("Gather", x.name, net.constant(0, np.int64), axis=1)
    return net.head(net.seen(y, x.ids, 1), x.width), ["batch", 5]


def token_net(seed: int, blocks: tuple[Block, ...] | None = None) -> tuple[ModelProto, TokenNet]:
    """A few blocks, drawn at random, on a stream of tokens."""
    net = TokenNet(seed)
    x, table = embedded(net, net.pick(8, 10))
    drawn = blocks or tuple(BLOCKS[place] for place in net.random.integers(0, len(BLOCKS), net.pick(1, 2, 3)))
    for block in drawn:
        x = block(net, x)
    x = net.normed(x) if net.pick(0, 1) else x
    output, shape = _ended(net, x, table)
    model = net.finished(output, *shape)
    model.opset_import[0].version, model.ir_version = 23, 11
    return model, net
