"""Attention and what stands around it as one operator each, in all forms that onnxruntime runs on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto
from oracles.builder import Net

from model_zoo.prunable import Flow
from model_zoo.prunable_tokens import Heads, TokenNet

MICROSOFT = "com.microsoft"


def _projected(net: TokenNet, y: Flow, heads: Heads) -> tuple[Flow, Flow, Flow]:
    return (
        net.project(y, heads.count * heads.size),
        net.project(y, heads.shared * heads.size),
        # onnx takes values of unknown width to be 0 wide, and refuses the model.
        net.project(y, heads.shared * heads.value_size, kind="rows"),
    )


def _causal(net: TokenNet) -> str:
    """May attend, or a number that is added; where the number of tokens is not known it is left out."""
    if not net.tokens:
        return ""
    allowed = np.tril(np.ones((net.tokens, net.tokens), np.bool_))
    return net.constant(net.pick(allowed, np.where(allowed, 0, -1e4).astype(np.float32)))


def attention(net: TokenNet, x: Flow) -> Flow:
    """ai.onnx, of three or four axes."""
    shared, repeats = net.pick((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (3, 1))
    flat, size = net.pick(True, False), net.pick(4, 6)
    heads = Heads(shared * repeats, shared, size, net.pick(4, 5))
    q, k, v = _projected(net, net.normed(x), heads)
    ids = net.tie_heads(q, k, v, heads, whole=heads.count > 1)
    settings: dict[str, Any] = net.pick({}, {"scale": 0.4}, {"is_causal": 1}, {"softcap": 2.0})
    mask = "" if "is_causal" in settings else _causal(net)
    if flat:
        settings |= {"q_num_heads": heads.count, "kv_num_heads": heads.shared}
        return net.added(x, net.seen(net.op("Attention", q.name, k.name, v.name, mask, **settings), ids))
    counts = (heads.count, heads.shared, heads.shared)
    operands = [net.split(each, count).name for each, count in zip((q, k, v), counts, strict=True)]
    return net.added(x, net.joined(net.op("Attention", *operands, mask, **settings), x, ids))


def multi_head(net: TokenNet, x: Flow) -> Flow:
    """Queries, keys and values apart, with biases of their own or without, keys and values perhaps cut already."""
    count, size = net.pick(2, 3), net.pick(4, 8)
    heads = Heads(count, count, size, size)
    q, k, v = _projected(net, net.normed(x), heads)
    ids = net.tie_heads(q, k, v, heads, whole=True)
    key, value = k.name, v.name
    bias = net.pick("", net.weight(3 * count * size))
    if net.pick(0, 1):
        key, value, bias = net.split(k, count).name, net.split(v, count).name, ""
    settings: dict[str, Any] = net.pick({}, {"scale": 0.4}, {"unidirectional": 1})
    y = net.op("MultiHeadAttention", q.name, key, value, bias, domain=MICROSOFT, num_heads=count, **settings)
    return net.added(x, net.seen(y, ids))


def multi_head_packed(net: TokenNet, x: Flow) -> Flow:
    """All three, or keys and values, of one layer, packed head by head."""
    count, size = net.pick(2, 3), 8
    heads, width, y = Heads(count, count, size, size), count * size, net.normed(x)
    if net.pick(0, 1):
        z = net.project(y, 3 * width)
        cut = np.reshape(z.ids, (count, 3, size))
        operands = [net.shaped(z.name, z.name, count, 3, size)]
        q, k, v = (Flow("", tuple(cut[:, place].reshape(-1).tolist()), 2) for place in range(3))
    else:
        q, z = net.project(y, width), net.project(y, 2 * width)
        cut = np.reshape(z.ids, (count, 2, size))
        operands = [q.name, net.shaped(z.name, z.name, count, 2, size)]
        k, v = (Flow("", tuple(cut[:, place].reshape(-1).tolist()), 2) for place in range(2))
    ids = net.tie_heads(q, k, v, heads, whole=True)
    y_name = net.op("MultiHeadAttention", *operands, domain=MICROSOFT, num_heads=count)
    return net.added(x, net.seen(y_name, ids))


def group_query(net: TokenNet, x: Flow) -> Flow:
    """With rotary embedding or without, apart or packed; the cache begins empty."""
    shared, size = net.pick(2, 3), 16
    heads = Heads(shared * net.pick(1, 2), shared, size, size)
    y = net.normed(x)
    if net.pick(0, 1):
        z, width = net.project(y, (heads.count + 2 * shared) * size), shared * size
        q, k, v = (
            Flow("", ids, 2) for ids in (z.ids[: -2 * width], z.ids[-2 * width : -width], z.ids[-width:])
        )
        operands = [z.name, "", ""]
    else:
        q, k, v = _projected(net, y, heads)
        operands = [q.name, k.name, v.name]
    ids = net.tie_heads(q, k, v, heads, whole=True)
    settings: dict[str, Any] = {"num_heads": heads.count, "kv_num_heads": shared}
    tables: list[str] = []
    if net.pick(0, 1):
        settings |= {"do_rotary": 1}
        tables = [net.positive(16, size // 2), net.positive(16, size // 2)]
    batch, length = net.sizes_of(x.name, 0, 1)
    total = net.op("Cast", length, to=TensorProto.INT32)
    last = net.op("Sub", total, net.constant([1], np.int32))
    total = net.op("Squeeze", total, net.ints(0))
    operands += ["", "", net.op("Expand", last, batch), total, *tables]
    y_name = net.ops("GroupQueryAttention", *operands, count=3, domain=MICROSOFT, **settings)[0]
    return net.added(x, net.seen(y_name, ids))


def projecting(net: TokenNet, x: Flow) -> Flow:
    """Makes queries, keys and values itself; values may be narrower."""
    count, size = net.pick(2, 3), net.pick(4, 8)
    value = net.pick(size, 4)
    heads, width, y = Heads(count, count, size, value), count * size, net.normed(x)
    total = 2 * width + count * value
    settings: dict[str, Any] = {"qkv_hidden_sizes": [width, width, count * value]} if value != size else {}
    settings |= net.pick({}, {"scale": 0.4}, {"unidirectional": 1})
    weight, bias = net.weight(y.width, total, fan=y.width), net.weight(total, fan=4)
    y_name = net.op("Attention", y.name, weight, bias, domain=MICROSOFT, num_heads=count, **settings)
    columns = net.channels.fresh(total)
    q, k, v = (
        Flow("", ids, 2) for ids in (columns[:width], columns[width : 2 * width], columns[2 * width :])
    )
    return net.added(x, net.seen(y_name, net.tie_heads(q, k, v, heads, whole=True)))


def projecting_small(net: TokenNet, x: Flow) -> Flow:
    """The same of 8-bit numbers, one scale in all or one a column."""
    count, size = net.pick(2, 3), 8
    heads, width, y = Heads(count, count, size, size), count * size, net.normed(x)
    scale, zero = net.constant(0.05, np.float32), net.constant(128, np.uint8)
    small = net.op("QuantizeLinear", y.name, scale, zero)
    weight = net.constant(net.random.integers(-64, 65, (y.width, 3 * width)), np.int8)  # 16 bits hold pairs
    many = net.pick(True, False)
    factors = net.constant(net.random.uniform(0.005, 0.01, 3 * width if many else ()), np.float32)
    zeros = net.constant(np.zeros(3 * width if many else ()), np.int8)
    y_name = net.op(
        "QAttention", small, weight, net.weight(3 * width, fan=4), scale, factors, "", zero, zeros,
        domain=MICROSOFT, num_heads=count,
    )  # fmt: skip
    columns = net.channels.fresh(3 * width)
    q, k, v = (
        Flow("", ids, 2) for ids in (columns[:width], columns[width : 2 * width], columns[2 * width :])
    )
    return net.added(x, net.seen(y_name, net.tie_heads(q, k, v, heads, whole=True)))


def rotary(net: TokenNet, x: Flow) -> Flow:
    """Of both domains, heads side by side or apart, some of the numbers or all; attention is ai.onnx."""
    count, size = net.pick(2, 3), 8
    heads = Heads(count, count, size, net.pick(size, 5))
    q, k, v = _projected(net, net.normed(x), heads)
    ids = net.tie_heads(q, k, v, heads, whole=True)
    settings: dict[str, Any] = {"interleaved": net.pick(0, 1)}
    flat = net.pick(True, False)
    turned = net.pick(size, 4)
    if turned < size:
        settings |= {"rotary_embedding_dim": turned, "num_heads": count}
    tables = [net.positive(16, turned // 2), net.positive(16, turned // 2)]
    places = _places(net, x)
    own = net.pick(True, False)
    if own and flat:
        settings |= {"num_heads": count}
    operands = [each.name if flat else net.split(each, count).name for each in (q, k)]
    turn = [
        net.op("RotaryEmbedding", each, *tables, places, **settings)
        if own
        else net.op("RotaryEmbedding", each, places, *tables, domain=MICROSOFT, **settings)
        for each in operands
    ]
    if flat:
        y = net.op("Attention", *turn, v.name, q_num_heads=count, kv_num_heads=count)
        return net.added(x, net.seen(y, ids))
    return net.added(x, net.joined(net.op("Attention", *turn, net.split(v, count).name), x, ids))


def _places(net: TokenNet, x: Flow) -> str:
    """0, 1, 2 … for every text."""
    batch, length = net.sizes_of(x.name, 0, 1)
    zero, one = (net.constant(number, np.int64) for number in (0, 1))
    row = net.op("Range", zero, net.op("Squeeze", length, net.ints(0)), one)
    return net.op("Expand", row, net.op("Concat", batch, length, axis=0))


def skipped(net: TokenNet, x: Flow) -> Flow:
    """A sum and its normalization in one, by the root of the mean square or around the mean; the sum goes on."""
    y = net.project(net.active(net.project(x, 12)), x.width)
    net.channels.tie_all(x.ids, y.ids)
    if net.pick(0, 1):
        kind, inputs = "SkipSimplifiedLayerNormalization", [net.positive(x.width)]
    else:
        kind, inputs = "SkipLayerNormalization", [net.positive(x.width), net.weight(x.width, fan=9)]
        net.channels.pin(x.ids)
    if net.pick(0, 1):
        inputs.append(net.weight(x.width, fan=9))
    normed, _, _, total = net.ops(kind, x.name, y.name, *inputs, count=4, domain=MICROSOFT, epsilon=1e-3)
    net.nodes[-1].output[1] = net.nodes[-1].output[2] = ""
    return net.added(net.seen(total, x.ids), net.seen(normed, x.ids))


def unpacked(model: ModelProto) -> ModelProto:
    """The same network where onnxruntime has no kernel for packed queries, keys and values on the CPU."""
    made = ModelProto()
    made.CopyFrom(model)
    for place, node in reversed(list(enumerate(made.graph.node))):
        packed = node.input[-1] if node.op_type == "MultiHeadAttention" and len(node.input) < 3 else ""
        if not packed:
            continue
        part = Net(f"{node.name}/")
        flat = part.ints(0, 0, -1)
        cuts = [part.constant(at, np.int64) for at in range(4 - len(node.input))]
        parts = [part.op("Reshape", part.op("Gather", packed, cut, axis=3), flat) for cut in cuts]
        node.input[:] = [*node.input[:-1], *parts]
        made.graph.initializer.extend(part.initializers)
        for each in reversed(part.nodes):
            made.graph.node.insert(place, each)
    return made


FUSED = (
    attention, multi_head, multi_head_packed, group_query, projecting, projecting_small, rotary, skipped,
)  # fmt: skip
