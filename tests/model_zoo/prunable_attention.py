"""Attention in the ways in which exporters write it, each with what it ties together."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from model_zoo.prunable import Flow
from model_zoo.prunable_tokens import Heads, TokenNet


def _projected(net: TokenNet, x: Flow, memory: Flow, heads: Heads) -> tuple[Flow, Flow, Flow]:
    """Queries, keys and values of layers of their own."""
    return (
        net.project(x, heads.count * heads.size),
        net.project(memory, heads.shared * heads.size),
        net.project(memory, heads.shared * heads.value_size),
    )


def _by_heads(
    net: TokenNet, x: Flow, memory: Flow, heads: Heads, *, whole: bool
) -> tuple[tuple[int, ...], str, str, str]:
    """What joins them again, and queries, keys and values, each split by as many heads."""
    q, k, v = _projected(net, x, memory, heads)
    ids = net.tie_heads(q, k, v, heads, whole=whole)
    query, key, value = (net.split(each, heads.count).name for each in (q, k, v))
    return ids, query, key, value


def _drawn(net: TokenNet) -> Heads:
    count, size = net.pick(2, 3, 4), net.pick(4, 6)
    return Heads(count, count, size, net.pick(size, 3))


def attention(net: TokenNet, x: Flow) -> Flow:
    """Heads of equal number, with a causal mask where the number of tokens is known."""
    heads, y = _drawn(net), net.normed(x)
    ids, query, key, value = _by_heads(net, y, y, heads, whole=True)
    scores = net.scores(query, key, heads.size)
    if net.tokens:
        causal = np.triu(np.full((net.tokens, net.tokens), -1e4, np.float32), 1)
        scores = net.op("Add", scores, net.constant(causal[None, None]))
    return net.added(x, net.joined(net.mixed(scores, value), x, ids))


def packed(net: TokenNet, x: Flow) -> Flow:
    """Queries, keys and values of one layer, taken apart by Split or Slice before heads are made."""
    count, size = net.pick(2, 4), 4
    heads, y = Heads(count, count, size, size), net.normed(x)
    y = net.project(y, 3 * count * size)
    width = count * size
    if net.pick(0, 1):
        names = net.ops("Split", y.name, net.ints(width, width, width), count=3, axis=2)
    else:
        cuts = [(net.ints(at), net.ints(at + width), net.ints(-1)) for at in (0, width, 2 * width)]
        names = [net.op("Slice", y.name, *cut) for cut in cuts]
    q, k, v = (net.seen(name, y.ids[at * width :][:width]) for at, name in enumerate(names))
    ids = net.tie_heads(q, k, v, heads, whole=True)
    query, key, value = (net.split(each, count).name for each in (q, k, v))
    return net.added(x, net.joined(net.mixed(net.scores(query, key, size), value), x, ids))


def packed_heads(net: TokenNet, x: Flow) -> Flow:
    """As vision transformers do it: batch × tokens × 3 × heads × size, transposed and picked apart."""
    count, size = net.pick(2, 3), net.pick(4, 6)
    heads, width = Heads(count, count, size, size), count * size
    y = net.project(net.normed(x), 3 * width)
    z = net.op("Transpose", net.shaped(y.name, y.name, 3, count, size), perm=[2, 0, 3, 1, 4])
    if net.pick(0, 1):
        names = [net.op("Gather", z, net.constant(place, np.int64), axis=0) for place in range(3)]
    else:
        names = [net.op("Squeeze", part, net.ints(0)) for part in net.ops("Split", z, count=3, num_outputs=3)]
    query, key, value = names
    q, k, v = (Flow("", y.ids[at * width :][:width], 2) for at in range(3))
    ids = net.tie_heads(q, k, v, heads, whole=True)
    return net.added(x, net.joined(net.mixed(net.scores(query, key, size), value), x, ids))


def folded(net: TokenNet, x: Flow) -> Flow:
    """As nn.MultiheadAttention does it: tokens × batch × channels, heads folded into the batch, computed sizes."""
    count, size = net.pick(2, 3), net.pick(4, 5)
    heads, y = Heads(count, count, size, size), net.normed(x)
    y = Flow(net.op("Transpose", y.name, perm=[1, 0, 2]), y.ids, 2)
    q, k, v = _projected(net, y, y, heads)
    ids = net.tie_heads(q, k, v, heads, whole=True)
    batch, tokens = net.sizes_of(x.name, 0, 1)
    many = net.op("Mul", batch, net.ints(count))
    sizes = net.op("Concat", tokens, many, net.ints(size), axis=0)
    query, key, value = (
        net.op("Transpose", net.op("Reshape", each.name, sizes), perm=[1, 0, 2]) for each in (q, k, v)
    )
    query = net.op("Mul", query, net.floats(size**-0.5))
    scores = net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1]))
    z = net.op("Transpose", net.mixed(scores, value), perm=[1, 0, 2])
    z = net.op("Reshape", z, net.op("Concat", tokens, batch, net.ints(count * size), axis=0))
    return net.added(x, net.seen(net.op("Transpose", z, perm=[1, 0, 2]), ids))


def repeated(net: TokenNet, x: str, heads: Heads, size: int) -> str:
    """Keys or values for every head of the queries: expanded, tiled, or gathered."""
    kind = net.pick("expand", "computed", "tile", "gather")
    if kind == "gather":
        places = np.repeat(np.arange(heads.shared), heads.repeats)
        return net.op("Gather", x, net.ints(*places.tolist()), axis=1)
    y = net.op("Unsqueeze", x, net.ints(2))
    if kind == "tile":
        y = net.op("Tile", y, net.ints(1, 1, heads.repeats, 1, 1))
    elif kind == "expand":
        y = net.op("Expand", y, net.ints(1, 1, heads.repeats, 1, 1))
    else:
        ends = (net.ints(heads.shared), net.ints(heads.repeats), *net.sizes_of(x, 2), net.ints(size))
        y = net.op("Expand", y, net.op("Concat", *net.sizes_of(x, 0), *ends, axis=0))
    sizes = net.op("Concat", *net.sizes_of(x, 0), net.ints(heads.count), *net.sizes_of(x, 2, 3), axis=0)
    return net.op("Reshape", y, sizes)


def grouped_query(net: TokenNet, x: Flow) -> Flow:
    """Several heads of queries share keys and values, which are repeated for them."""
    shared, size = net.pick(2, 3), 4
    heads, y = Heads(shared * net.pick(2, 3), shared, size, net.pick(size, 5)), net.normed(x)
    q, k, v = _projected(net, y, y, heads)
    ids = net.tie_heads(q, k, v, heads, whole=True)
    key = repeated(net, net.split(k, shared).name, heads, size)
    value = repeated(net, net.split(v, shared).name, heads, heads.value_size)
    scores = net.scores(net.split(q, heads.count).name, key, size)
    return net.added(x, net.joined(net.mixed(scores, value), x, ids))


def grouped_broadcast(net: TokenNet, x: Flow) -> Flow:
    """The same with an axis for the heads that share, along which keys and values are broadcast."""
    heads, y = Heads(6, net.pick(2, 3), 4, 4), net.normed(x)
    q, k, v = _projected(net, y, y, heads)
    ids = net.tie_heads(q, k, v, heads, whole=True)
    query = net.shaped(q.name, q.name, heads.shared, heads.repeats, 4)
    query = net.op("Transpose", query, perm=[0, 2, 3, 1, 4])
    key, value = (net.op("Unsqueeze", net.split(each, heads.shared).name, net.ints(2)) for each in (k, v))
    scores = net.op("MatMul", query, net.op("Transpose", key, perm=[0, 1, 2, 4, 3]))
    z = net.op("Transpose", net.mixed(scores, value), perm=[0, 3, 1, 2, 4])
    return net.added(x, net.seen(net.shaped(z, x.name, 24), ids))


def multi_query(net: TokenNet, x: Flow) -> Flow:
    """All heads share one key and value, which stay where heads of queries go."""
    count, size = net.pick(2, 4), 6
    heads, y = Heads(count, 1, size, net.pick(size, 4)), net.normed(x)
    q, k, v = _projected(net, y, y, heads)
    ids = net.tie_heads(q, k, v, heads, whole=True)
    key, value = (net.op("Unsqueeze", each.name, net.ints(1)) for each in (k, v))
    scores = net.op("MatMul", net.split(q, count).name, net.op("Transpose", key, perm=[0, 1, 3, 2]))
    return net.added(x, net.joined(net.mixed(scores, value), x, ids))


def biased(net: TokenNet, x: Flow) -> Flow:
    """A number a head and distance, or a slope a head: constants that lose the heads that go."""
    heads, y = _drawn(net), net.normed(x)
    ids, query, key, value = _by_heads(net, y, y, heads, whole=True)
    scores = net.scores(query, key, heads.size)
    if net.tokens:
        scores = net.op("Add", scores, net.weight(1, heads.count, net.tokens, net.tokens))
    gate = net.positive(heads.count, 1, 1)
    z = net.op("Mul", net.mixed(net.op("Mul", scores, gate), value), net.positive(heads.count, 1, 1))
    return net.added(x, net.joined(z, x, ids))


def told_heads(net: TokenNet, x: Flow) -> Flow:
    """A bias for every head is an input of the model: heads stay, the same numbers of every head go."""
    count, size = net.pick(2, 3), 6
    heads, y = Heads(count, count, size, net.pick(size, 4)), net.normed(x)
    ids, query, key, value = _by_heads(net, y, y, heads, whole=False)
    bias = net.input(net.fresh("bias"), "batch", count, net.tokens or "tokens", net.tokens or "tokens")
    scores = net.op("Add", net.scores(query, key, size), bias)
    return net.added(x, net.joined(net.mixed(scores, value), x, ids))


def masked(net: TokenNet, x: Flow) -> Flow:
    """Tokens that are no tokens, told by a mask that all heads share."""
    heads, y = _drawn(net), net.normed(x)
    ids, query, key, value = _by_heads(net, y, y, heads, whole=True)
    mask = net.input(net.fresh("mask"), "batch", net.tokens or "tokens", dtype=TensorProto.INT64)
    keep = net.op("Greater", net.op("Unsqueeze", mask, net.ints(1, 2)), net.constant([2], np.int64))
    scores = net.op("Where", keep, net.scores(query, key, heads.size), net.floats(-1e4))
    return net.added(x, net.joined(net.mixed(scores, value), x, ids))


def cross(net: TokenNet, x: Flow) -> Flow:
    """Keys and values of another text."""
    memory = Flow(net.input(net.fresh("memory"), "batch", 7, 9), net.channels.fresh(9), 2)
    net.channels.pin(memory.ids)
    heads = _drawn(net)
    ids, query, key, value = _by_heads(net, net.normed(x), memory, heads, whole=True)
    return net.added(x, net.joined(net.mixed(net.scores(query, key, heads.size), value), x, ids))


def head_norms(net: TokenNet, x: Flow) -> Flow:
    """Queries and keys are normalized head by head: heads go, their numbers stay."""
    heads, y = _drawn(net), net.normed(x)
    ids, query, key, value = _by_heads(net, y, y, heads, whole=True)
    kind = net.pick("LayerNormalization", "RMSNormalization", "rms")
    inner = (Flow(each, net.channels.fresh(heads.size), 3) for each in (query, key))
    query, key = (_normed_within(net, each, kind) for each in inner)
    return net.added(x, net.joined(net.mixed(net.scores(query, key, heads.size), value), x, ids))


def _normed_within(net: TokenNet, x: Flow, kind: str) -> str:
    scale = net.positive(x.width)
    if kind != "rms":
        return net.op(kind, x.name, scale, axis=-1, epsilon=1e-3)
    mean = net.op("ReduceMean", net.op("Mul", x.name, x.name), net.ints(-1))
    root = net.op("Sqrt", net.op("Add", mean, net.floats(1e-3)))
    return net.op("Mul", net.op("Div", x.name, root), scale)


def rotary(net: TokenNet, x: Flow) -> Flow:
    """Numbers of every head are turned in pairs, by halves or neighbor by neighbor."""
    count, size = net.pick(2, 4), 6
    heads, y = Heads(count, count, size, net.pick(size, 4)), net.normed(x)
    ids, query, key, value = _by_heads(net, y, y, heads, whole=True)
    angles = _angles(net, x, size // 2)
    turn = net.pick(_turned_halves, _turned_pairs)
    query, key = (turn(net, each, angles, size) for each in (query, key))
    return net.added(x, net.joined(net.mixed(net.scores(query, key, size), value), x, ids))


def _angles(net: TokenNet, x: Flow, pairs: int) -> str:
    """Tokens × pairs: positions times frequencies."""
    length = net.op("Squeeze", *net.sizes_of(x.name, 1), net.ints(0))
    zero, one = (net.constant(number, np.int64) for number in (0, 1))
    places = net.op("Cast", net.op("Range", zero, length, one), to=TensorProto.FLOAT)
    return net.op("Mul", net.op("Unsqueeze", places, net.ints(1)), net.positive(1, pairs))


def _turned_halves(net: TokenNet, x: str, angles: str, size: int) -> str:
    wide = net.op("Concat", angles, angles, axis=-1)
    cuts = [(net.ints(at), net.ints(end), net.ints(3)) for at, end in ((0, size // 2), (size // 2, 2**62))]
    left, right = (net.op("Slice", x, *cut) for cut in cuts)
    turned = net.op("Concat", net.op("Neg", right), left, axis=-1)
    return net.op("Add", net.op("Mul", x, net.op("Cos", wide)), net.op("Mul", turned, net.op("Sin", wide)))


def _turned_pairs(net: TokenNet, x: str, angles: str, size: int) -> str:
    pairs = net.op("Reshape", x, net.ints(0, 0, 0, size // 2, 2))
    one, other = (net.op("Gather", pairs, net.constant(at, np.int64), axis=4) for at in (0, 1))
    cos, sin = net.op("Cos", angles), net.op("Sin", angles)
    first = net.op("Sub", net.op("Mul", one, cos), net.op("Mul", other, sin))
    second = net.op("Add", net.op("Mul", one, sin), net.op("Mul", other, cos))
    ends = (net.op("Unsqueeze", each, net.ints(4)) for each in (first, second))
    sizes = net.op("Shape", x)
    return net.op("Reshape", net.op("Concat", *ends, axis=4), sizes)


ATTENTIONS = (
    attention, packed, packed_heads, folded, grouped_query, grouped_broadcast, multi_query, biased, told_heads,
    masked, cross, head_norms, rotary,
)  # fmt: skip
