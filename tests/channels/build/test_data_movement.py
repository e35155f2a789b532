"""Chains of data movement lead every channel to where onnxruntime moves its elements."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from model_zoo.channel_nets import RandomNet
from oracles.builder import Net
from oracles.channel_pass import channels_of
from oracles.perturbation import Array, channel_numbers, session

from nnea_graph.channels.graph import Carry, ChannelGraph

Shape = tuple[int, ...]
Step = Callable[[Net, str, Shape, st.DataObject], tuple[str, Shape]]


def transpose(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    order = data.draw(st.permutations(range(len(shape))))
    return net.op("Transpose", x, perm=order), tuple(shape[axis] for axis in order)


def reshape(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    left, dims = prod(shape), []
    for _ in range(data.draw(st.integers(0, 3))):
        dims.append(data.draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= dims[-1]
    new = (*dims, left)
    return net.op("Reshape", x, net.ints(*new)), new


def cut(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    axis = data.draw(st.integers(0, len(shape) - 1))
    step = data.draw(st.sampled_from([1, 2, -1]))
    start = data.draw(st.integers(0, shape[axis] - 1))
    end = shape[axis] if step > 0 else -shape[axis] - 1
    length = len(range(shape[axis])[start : None if step < 0 else end : step])
    y = net.op("Slice", x, *(net.ints(n) for n in (start, end, axis, step)))
    return y, (*shape[:axis], length, *shape[axis + 1 :])


def pad(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    amounts = data.draw(st.lists(st.integers(0, 1), min_size=2 * len(shape), max_size=2 * len(shape)))
    y = net.op("Pad", x, net.ints(*amounts), net.constant(-1, np.float32))
    grown = zip(shape, amounts[: len(shape)], amounts[len(shape) :], strict=True)
    return y, tuple(dim + before + after for dim, before, after in grown)


def pick(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    axis = data.draw(st.integers(0, len(shape) - 1))
    picked = data.draw(st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=4))
    y = net.op("Gather", x, net.ints(*picked), axis=axis)
    return y, (*shape[:axis], len(picked), *shape[axis + 1 :])


def join(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    axis = data.draw(st.integers(0, len(shape) - 1))
    other, theirs = cut(net, x, shape, data)
    assume(theirs[:axis] + theirs[axis + 1 :] == shape[:axis] + shape[axis + 1 :])
    y = net.op("Concat", x, other, axis=axis)
    return y, (*shape[:axis], shape[axis] + theirs[axis], *shape[axis + 1 :])


def split(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    axis = data.draw(st.sampled_from([axis for axis, dim in enumerate(shape) if dim > 1] or [-1]))
    assume(axis >= 0)
    first = data.draw(st.integers(1, shape[axis] - 1))
    parts = net.ops("Split", x, net.ints(first, shape[axis] - first), count=2, axis=axis)
    return parts[1], (*shape[:axis], shape[axis] - first, *shape[axis + 1 :])


def tile(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    times = data.draw(st.lists(st.integers(1, 2), min_size=len(shape), max_size=len(shape)))
    return net.op("Tile", x, net.ints(*times)), tuple(d * n for d, n in zip(shape, times, strict=True))


def widen(net: Net, x: str, shape: Shape, data: st.DataObject) -> tuple[str, Shape]:
    axis, times = data.draw(st.integers(0, len(shape))), data.draw(st.integers(1, 3))
    new = (*shape[:axis], times, *shape[axis:])
    return net.op("Expand", net.op("Unsqueeze", x, net.ints(axis)), net.ints(*new)), new


STEPS: tuple[Step, ...] = (transpose, reshape, cut, pad, pick, join, split, tile, widen)


def reached(channels: ChannelGraph, source: str, target: str) -> Array:
    """[i, j]: whether channel j of the source leads to channel i of the target."""
    reach = {source: np.eye(channels.tensors[source].count, dtype=bool)}
    for name in channels.order[channels.order.index(source) + 1 :]:
        total = np.zeros((channels.tensors[name].count, channels.tensors[source].count), bool)
        for link in channels.into[name]:
            assert isinstance(link.edges, Carry)
            there = link.edges.places >= 0
            total[there] |= reach[link.source][link.edges.places[there]]
        reach[name] = total
    return reach[target]


def gains_add_up(channels: ChannelGraph, name: str) -> bool:
    links = channels.into[name]
    total = np.zeros(channels.tensors[name].count)
    there = np.zeros(channels.tensors[name].count, bool)
    for link in links:
        assert isinstance(link.edges, Carry)
        here = link.edges.places >= 0
        total += np.where(here, 1.0 if link.gain is None else link.gain, 0.0)
        there |= here
    return bool(np.allclose(total, there))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_every_channel_goes_where_its_elements_go(
    data: st.DataObject, count: int, height: int, width: int, length: int
) -> None:
    shape: Shape = (1, count, height, width)
    net = RandomNet()
    conv = net.conv(net.input("x", *shape), (count, count), 1)
    names, current, padded = [conv], conv, False
    for _ in range(length):
        step = data.draw(st.sampled_from(STEPS))
        current, shape = step(net, current, shape, data)
        padded = padded or step is pad
        assume(prod(shape) <= 600)
        names.append(current)
    model = net.model(current)
    channels = channels_of(model)
    assert channels.ends == ()

    model.graph.node.remove(next(node for node in model.graph.node if conv in node.output))
    del model.graph.input[:]
    feed = np.arange(count * height * width, dtype=np.float32).reshape(1, count, height, width)
    other = Net()
    other.input(conv, 1, count, height, width)
    model.graph.input.extend(other.inputs)
    (moved,) = session(model).run([current], {conv: feed})

    target = channels.tensors[current]
    expected = np.zeros((target.count, count), bool)
    places = channel_numbers(target, moved.shape)
    real = moved >= 0
    expected[places[real], (moved[real] // (height * width)).astype(int)] = True
    found = reached(channels, conv, current)
    assert (found | ~expected).all()
    if not padded and all(len(channels.into[name]) == 1 for name in channels.order[2:]):
        # Which positions are padding, or belong to which of several sources, channels cannot tell.
        np.testing.assert_array_equal(found, expected)
    assert all(gains_add_up(channels, name) for name in names[1:])


def test_a_pixel_shuffle_by_hand_gives_every_channel_four_sources() -> None:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 8), 1)
    x = net.op("Transpose", net.op("Reshape", x, net.ints(1, 2, 2, 2, 4, 4)), perm=[0, 1, 4, 2, 5, 3])
    x = net.op("Reshape", x, net.ints(1, 2, 8, 8))
    channels = channels_of(net.model(x))
    assert (channels.tensors[x].axes, channels.tensors[x].count) == ((1,), 2)
    assert len(channels.into[x]) == 4
    assert reached_counts(channels, x) == [4, 4]


def reached_counts(channels: ChannelGraph, name: str) -> list[int]:
    found: list[set[int]] = [set() for _ in range(channels.tensors[name].count)]
    for link in channels.into[name]:
        assert isinstance(link.edges, Carry)
        for target, source in enumerate(link.edges.places):
            found[target].add(int(source))
    return [len(each) for each in found]


@pytest.mark.parametrize("side", [8, 512], ids=["small", "larger than what is moved at a time"])
def test_group_norm_by_reshapes_keeps_every_channel(side: int) -> None:
    net = RandomNet()
    x = net.op("Conv", net.input("x", 1, 3, side, side), net.weight(256, 3, 1, 1))
    y = net.op("Reshape", x, net.ints(0, 32, -1))
    y = net.op("InstanceNormalization", y, net.weight(32), net.weight(32))
    y = net.op("Reshape", y, net.ints(1, 256, side, side))
    channels = channels_of(net.model(net.op("Conv", y, net.weight(4, 256, 1, 1))))
    assert (channels.tensors[y].axes, channels.tensors[y].count) == ((1,), 256)
    assert channels.ends == ()
    assert channels.uncovered == {}
    origin = np.arange(256)
    name = y
    while name != x:
        (link,) = channels.into[name]
        assert isinstance(link.edges, Carry)
        origin, name = link.edges.places[origin], link.source
    np.testing.assert_array_equal(origin, np.arange(256))
