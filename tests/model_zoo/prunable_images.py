"""Blocks of convolutional networks, each with what it ties together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import ModelProto

from model_zoo.prunable import Flow, PrunableNet

Block = Callable[[PrunableNet, Flow], Flow]


def plain(net: PrunableNet, x: Flow) -> Flow:
    return net.layer(x, net.pick(6, 8, 12), net.pick(1, 3))


def residual(net: PrunableNet, x: Flow) -> Flow:
    return net.active(net.add(net.norm(net.conv(net.layer(x, net.pick(4, 8)), x.width, 3)), x))


def projected(net: PrunableNet, x: Flow) -> Flow:
    width = net.pick(6, 10)
    return net.active(net.add(net.conv(x, width), net.layer(x, width)))


def dense(net: PrunableNet, x: Flow) -> Flow:
    for _ in range(net.pick(1, 2)):
        x = net.concat(x, net.layer(net.norm(x), 4))
    return x


def inception(net: PrunableNet, x: Flow) -> Flow:
    return net.concat(net.layer(x, 4, 1), net.layer(net.layer(x, 6, 1), 4, 3), x)


def depthwise(net: PrunableNet, x: Flow) -> Flow:
    """Each channel by itself, or several outputs for each."""
    times = net.pick(1, 1, 2)
    ids = [channel for channel in x.ids for _ in range(times)]
    return net.active(net.norm(net.conv(x, x.width * times, 3, group=x.width, ids=ids)))


def inverted(net: PrunableNet, x: Flow) -> Flow:
    y = net.layer(x, 3 * x.width, 1)
    y = net.active(net.conv(y, y.width, 3, group=y.width, ids=y.ids))
    return net.add(net.norm(net.conv(squeeze(net, y), x.width)), x)


def grouped(net: PrunableNet, x: Flow) -> Flow:
    """Whole groups: a layer before gives every group four channels of its own."""
    groups = net.pick(2, 4)
    y = net.layer(x, groups * 4, 1)
    ids = net.channels.fresh(groups * 3)
    for group in range(groups):
        net.channels.tie(*y.ids[group * 4 : group * 4 + 4], *ids[group * 3 : group * 3 + 3])
    return net.layer(net.active(net.conv(y, groups * 3, 3, group=groups, ids=ids)), x.width, 1)


def shuffled_groups(net: PrunableNet, x: Flow) -> Flow:
    """ShuffleNet: grouped, shuffled, depthwise, grouped again; the same channels of each group go."""
    groups, width = 2, 8
    y = alike(net, net.layer(x, width, 1), width, groups)
    y = shuffle(net, y, groups)
    y = net.conv(y, width, 3, group=width, ids=y.ids)
    return net.layer(alike(net, y, width, groups), net.pick(6, 8), 1)


def alike(net: PrunableNet, x: Flow, outputs: int, groups: int) -> Flow:
    """A grouped convolution of which every group loses the same."""
    ids = net.channels.fresh(outputs)
    for channels in (x.ids, ids):
        each = len(channels) // groups
        for place in range(each):
            net.channels.tie(*channels[place::each])
    return net.active(net.conv(x, outputs, 1, group=groups, ids=ids))


def shuffle(net: PrunableNet, x: Flow, groups: int) -> Flow:
    """What lies side by side after the shuffle goes together."""
    each, (height, width) = x.width // groups, x.hw
    for place in range(each):
        net.channels.tie(*x.ids[place::each])
    y = net.op("Reshape", x.name, net.ints(net.pick(2, 0), groups, each, height, width))
    y = net.op("Transpose", y, perm=[0, 2, 1, 3, 4])
    y = net.op("Reshape", y, net.ints(2, net.pick(-1, x.width), height, width))
    return net.flow(y, np.array(x.ids).reshape(groups, each).T.reshape(-1).tolist(), x)


def uneven_shuffle(net: PrunableNet, x: Flow) -> Flow:
    """Five channels a group do not come out even: the middle one's copies lie in both groups, the others' in one."""
    groups, width = 2, 10
    y = shuffle(net, alike(net, net.layer(x, width, 1), width, groups), groups)
    net.channels.tie(*y.ids[0:2], *y.ids[6:8])
    net.channels.tie(*y.ids[2:4], *y.ids[8:10])
    ids = net.channels.fresh(groups * 4)
    for place in range(4):
        net.channels.tie(*ids[place::4])
    y = net.flow(net.op("Conv", y.name, net.weight(8, 5, 1, 1, fan=5), group=groups), ids, y)
    return net.layer(net.active(y), net.pick(6, 8), 1)


def ragged(net: PrunableNet, x: Flow) -> Flow:
    """Two tensors side by side, cut elsewhere by the groups of a convolution: each takes what comes next."""
    y = net.concat(net.layer(x, 5, 1), net.layer(x, 7, 1))
    for one, other in zip(y.ids[:6], y.ids[6:], strict=True):
        net.channels.tie(one, other)
    ids = net.channels.fresh(6)
    net.channels.tie_all(ids[:3], ids[3:])
    z = net.op("Conv", y.name, net.weight(6, 6, 3, 3, fan=54), group=2, pads=[1] * 4)
    return net.layer(net.flow(z, ids, y), net.pick(6, 8), 1)


def split_shuffle(net: PrunableNet, x: Flow) -> Flow:
    """ShuffleNetV2: one half goes through layers, then both are shuffled."""
    x = net.layer(x, 8, 1)
    if net.pick(0, 1):
        names = net.ops("Split", x.name, count=2, axis=1, num_outputs=2)
    else:
        names = net.ops("Split", x.name, net.ints(4, 4), count=2, axis=1)
    left, right = net.flow(names[0], x.ids[:4], x), net.flow(names[1], x.ids[4:], x)
    return shuffle(net, net.concat(left, net.layer(right, 4)), 2)


def squeeze(net: PrunableNet, x: Flow) -> Flow:
    """Squeeze and excite: a gate for every channel."""
    pooled = (
        net.op("GlobalAveragePool", x.name)
        if net.pick(0, 1)
        else net.op("ReduceMean", x.name, net.ints(2, 3))
    )
    gate = net.active(net.conv(net.flow(pooled, x.ids, x), net.pick(3, 4)))
    gate = net.conv(gate, x.width)
    net.channels.tie_all(x.ids, gate.ids)
    shut = net.op("HardSigmoid", gate.name) if net.pick(0, 1) else net.op("Sigmoid", gate.name)
    return net.flow(net.op("Mul", x.name, shut), x.ids, x)


def glu(net: PrunableNet, x: Flow) -> Flow:
    """One half of the channels is the gate of the other."""
    y = net.conv(x, 12, 3)
    a, b = (net.op("Slice", y.name, net.ints(at), net.ints(at + 6), net.ints(1)) for at in (0, 6))
    net.channels.tie_all(y.ids[:6], y.ids[6:])
    return net.flow(net.op("Mul", a, net.op("Sigmoid", b)), y.ids[:6], x)


def pixels(net: PrunableNet, x: Flow) -> Flow:
    """Four channels become four pixels, which are pooled again."""
    mode, width = net.pick("DCR", "CRD"), 4
    y = net.conv(x, 4 * width)
    order = np.array(y.ids).reshape((4, width) if mode == "DCR" else (width, 4))
    rows = order.T if mode == "DCR" else order
    for row in rows.tolist():
        net.channels.tie(*row)
    z = net.op("DepthToSpace", y.name, blocksize=2, mode=mode)
    z = net.op("AveragePool", z, kernel_shape=[2, 2], strides=[2, 2])
    return net.active(net.flow(z, rows[:, 0].tolist(), x))


def depth(net: PrunableNet, x: Flow) -> Flow:
    """Pixels become channels: the four copies of a channel go together."""
    y = net.op("SpaceToDepth", x.name, blocksize=2)
    z = net.flow(y, [*x.ids] * 4, x, (x.hw[0] // 2, x.hw[1] // 2))
    return doubled(net, net.layer(z, 6, 1))


def doubled(net: PrunableNet, x: Flow) -> Flow:
    """Positions twice as close, by scales or by sizes."""
    size = (2 * x.hw[0], 2 * x.hw[1])
    if net.pick(0, 1):
        y = net.op("Resize", x.name, "", net.floats(1, 1, 2, 2), mode="nearest")
    else:
        y = net.op("Resize", x.name, "", "", net.ints(2, x.width, *size), mode="linear")
    return net.flow(y, x.ids, x, size)


def pooled(net: PrunableNet, x: Flow) -> Flow:
    y = net.op(net.pick("MaxPool", "AveragePool"), x.name, kernel_shape=[2, 2], strides=[2, 2])
    return doubled(net, net.flow(y, x.ids, x, (x.hw[0] // 2, x.hw[1] // 2)))


def transposed(net: PrunableNet, x: Flow) -> Flow:
    """Transposed convolution: dense, by groups, or by channel."""
    x = net.layer(x, 8, 1)
    kind = net.pick("dense", "groups", "channels")
    if kind == "dense":
        ids, groups, per_group = net.channels.fresh(6), 1, 6
    elif kind == "channels":
        ids, groups, per_group = x.ids, 8, 1
    else:
        ids, groups, per_group = net.channels.fresh(6), 2, 3
        for group in range(2):
            net.channels.tie(*x.ids[group * 4 : group * 4 + 4], *ids[group * 3 : group * 3 + 3])
    weight = net.weight(8, per_group, 3, 3, fan=8)
    y = net.op("ConvTranspose", x.name, weight, net.weight(len(ids)), group=groups, pads=[1] * 4)
    return net.layer(net.flow(y, ids, x), 6, 1)


def padded(net: PrunableNet, x: Flow) -> Flow:
    """ResNet's parameterless shortcut: channels of zeros are added."""
    more = net.channels.fresh(4)
    pads = [0, 1, 0, 0, 0, 3, 0, 0]
    wide = (
        net.op("Pad", x.name, net.ints(*pads))
        if net.pick(0, 1)
        else net.op("Pad", x.name, net.ints(1, 3), "", net.ints(1))
    )
    y = net.flow(wide, [more[0], *x.ids, *more[1:]], x)
    return net.add(y, net.conv(x, y.width, 3))


def cropped(net: PrunableNet, x: Flow) -> Flow:
    """Negative padding, or a slice from behind."""
    x = net.layer(x, 9, 1)
    if net.pick(0, 1):
        return net.flow(net.op("Pad", x.name, net.ints(0, -2, 0, 0, 0, -1, 0, 0)), x.ids[2:-1], x)
    y = net.op("Slice", x.name, net.ints(-7), net.ints(np.iinfo(np.int64).max), net.ints(-3))
    return net.flow(y, x.ids[2:], x)


def permuted(net: PrunableNet, x: Flow) -> Flow:
    order = net.random.permutation(x.width)
    y = net.op("Gather", x.name, net.ints(*order.tolist()), axis=1)
    return net.flow(y, [x.ids[place] for place in order], x)


def repeated(net: PrunableNet, x: Flow) -> Flow:
    """Copies one after the other."""
    return net.layer(net.flow(net.op("Tile", x.name, net.ints(1, 2, 1, 1)), x.ids * 2, x), 8, 1)


def group_norm(net: PrunableNet, x: Flow) -> Flow:
    """As torch writes it: an instance normalization of groups."""
    groups = 4
    x = net.layer(x, 12, 1)
    for group in range(groups):
        net.channels.tie(*x.ids[group * 3 : group * 3 + 3])
    y = net.op("Reshape", x.name, net.ints(0, groups, -1))
    y = net.op("InstanceNormalization", y, net.positive(groups), net.weight(groups, fan=9))
    shape = net.op("Shape", x.name) if net.pick(0, 1) else net.ints(2, 12, *x.hw)
    y = net.op("Reshape", y, shape)
    y = net.op("Mul", y, net.positive(12, 1, 1))
    return net.flow(net.op("Add", y, net.weight(12, 1, 1, fan=4)), x.ids, x)


def instance_norm(net: PrunableNet, x: Flow) -> Flow:
    y = net.op("InstanceNormalization", x.name, net.positive(x.width), net.weight(x.width, fan=9))
    return net.flow(y, x.ids, x)


def channels_last(net: PrunableNet, x: Flow) -> Flow:
    """As tf2onnx writes it: transposed, dense along the last axis, added, transposed back."""
    y = net.op("Transpose", x.name, perm=[0, 2, 3, 1])
    y = net.op("MatMul", y, net.weight(x.width, 6, fan=x.width))
    y = net.op("Relu", net.op("Add", y, net.weight(6, fan=4)))
    y = net.op("Transpose", y, perm=[0, 3, 1, 2])
    return net.flow(y, net.channels.fresh(6), x)


def tied(net: PrunableNet, x: Flow) -> Flow:
    """One kernel used twice: its columns and rows are the channels of both."""
    weight, x = net.weight(8, 8, 3, 3, fan=72), net.layer(x, 8, 1)
    net.channels.see(x)
    y = net.op("Relu", net.op("Conv", x.name, weight, pads=[1] * 4))
    first = net.flow(y, net.channels.fresh(8), x)
    net.channels.tie_all(x.ids, first.ids)
    z = net.op("Conv", y, weight, pads=[1] * 4)
    return net.flow(z, first.ids, x)


def expanded(net: PrunableNet, x: Flow) -> Flow:
    """A shift for every channel, expanded to the whole tensor by its own shape."""
    shift = net.op("Expand", net.weight(1, x.width, 1, 1, fan=4), net.op("Shape", x.name))
    return net.flow(net.op("Add", x.name, shift), x.ids, x)


BLOCKS: tuple[Block, ...] = (
    plain, residual, projected, dense, inception, depthwise, inverted, grouped, shuffled_groups, split_shuffle,
    uneven_shuffle, ragged, squeeze, glu, pixels, depth, pooled, transposed, padded, cropped, permuted, repeated,
    group_norm, instance_norm, channels_last, tied, expanded,
)  # fmt: skip


def flattened(net: PrunableNet, x: Flow) -> str:
    """Every way to a matrix, then a dense layer."""
    kind, size = net.pick("pool", "Flatten", "constant", "computed", "last", "sum"), x.hw[0] * x.hw[1]
    if kind == "pool":
        return net.head(Flow(net.op("Flatten", net.op("GlobalAveragePool", x.name)), x.ids, 1), x.width)
    if kind == "sum":
        return net.head(Flow(net.op("ReduceSum", x.name, net.ints(2, 3), keepdims=0), x.ids, 1), x.width)
    if kind == "Flatten":
        y = net.op("Flatten", x.name)
    elif kind == "constant":
        y = net.op("Reshape", x.name, net.ints(net.pick(2, 0, -1), x.width * size))
    elif kind == "computed":
        y = net.op(
            "Reshape", x.name, net.op("Concat", *net.sizes_of(x.name, 0), net.ints(x.width * size), axis=0)
        )
    else:
        y = net.op("Reshape", net.op("Transpose", x.name, perm=[0, 2, 3, 1]), net.ints(2, -1))
    return net.head(Flow(y, x.ids, 1), x.width * size)


def image_net(seed: int, blocks: tuple[Block, ...] | None = None) -> tuple[ModelProto, PrunableNet]:
    """A few blocks, drawn at random, between a first layer and a dense one."""
    net = PrunableNet(seed)
    x = net.layer(net.image(3, 8), net.pick(6, 8))
    drawn = blocks or tuple(BLOCKS[place] for place in net.random.integers(0, len(BLOCKS), net.pick(2, 3, 4)))
    for block in drawn:
        x = block(net, x)
    return net.finished(flattened(net, x), 2, 5), net
