"""Where tensors meet, begin and end: shares of sums, values and gates, inputs, and what cannot be followed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from model_zoo.channel_nets import NETS, RandomNet
from onnx import ModelProto, TensorProto
from oracles.channel_pass import channels_of, prepared

from nnea_graph.channels.build.coverage import coverage
from nnea_graph.channels.graph import Carry, ChannelGraph
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.static.cost_counting import count_work


def sources_of(channels: ChannelGraph, name: str) -> set[str]:
    return {link.source for link in channels.into[name]}


def marks_of(channels: ChannelGraph) -> set[str]:
    return {link.mark for links in channels.into.values() for link in links} - {""}


# Sums


def two_branches() -> tuple[ModelProto, str, str, str]:
    net = RandomNet()
    x = net.input("x", 1, 3, 4, 4)
    left, right = net.conv(x, (3, 2), 1), net.conv(x, (3, 2), 1)
    total = net.op("Add", left, right)
    return net.model(total), left, right, total


def test_a_sum_without_data_is_shared_alike() -> None:
    model, _, _, total = two_branches()
    gains = [link.gain for link in channels_of(model).into[total]]
    np.testing.assert_array_equal(np.array(gains), np.full((2, 2), 0.5))


def test_a_sum_is_shared_by_mean_activation() -> None:
    model, left, right, total = two_branches()
    means = {(left, 1): np.array([3.0, 0.0]), (right, 1): np.array([1.0, 0.0])}
    gains = [link.gain for link in channels_of(model, means).into[total]]
    np.testing.assert_allclose(np.array(gains), [[0.75, 0.5], [0.25, 0.5]])


def test_a_sum_with_one_side_measured_is_shared_alike() -> None:
    model, left, _, total = two_branches()
    gains = [link.gain for link in channels_of(model, {(left, 1): np.array([3.0, 9.0])}).into[total]]
    np.testing.assert_array_equal(np.array(gains), np.full((2, 2), 0.5))


def test_a_broadcast_channel_is_added_to_all() -> None:
    net = RandomNet()
    x = net.input("x", 1, 3, 4, 4)
    one, many = net.conv(x, (3, 1), 1), net.conv(x, (3, 4), 1)
    total = net.op("Add", net.op("LeakyRelu", one), many)
    channels = channels_of(net.model(total))
    first, second = channels.into[total]
    assert (channels.tensors[total].axes, channels.tensors[total].count) == ((1,), 4)
    assert isinstance(first.edges, Carry)
    assert isinstance(second.edges, Carry)
    assert first.edges.places.tolist() == [0, 0, 0, 0]
    assert second.edges.places.tolist() == [0, 1, 2, 3]


def test_joined_positions_share_by_their_number() -> None:
    net = RandomNet()
    left = net.op("Conv", net.input("x", 1, 2, 5), net.weight(3, 2, 1))
    right = net.op("Conv", net.input("y", 1, 2, 10), net.weight(3, 2, 1))
    joined = net.op("Concat", left, right, axis=2)
    gains = [link.gain for link in channels_of(net.model(joined)).into[joined]]
    np.testing.assert_allclose(np.array(gains), [[1 / 3] * 3, [2 / 3] * 3])


# Values and gates


@pytest.mark.parametrize(
    ("net", "product", "value"),
    [
        pytest.param("squeeze_excite", "Mul_10.0", "Conv_1.0", id="squeeze and excite: the map"),
        pytest.param("swiglu", "Mul_12.0", "Add_6.0", id="x sigmoid(x): x"),
        pytest.param("swiglu", "Mul_13.0", "Add_10.0", id="silu(g) u: u"),
        pytest.param("spatial_attention", "Mul_10.0", "Conv_1.0", id="one gate a position: the map"),
        pytest.param("layer_norm_by_hand", "Div_13.0", "Sub_6.0", id="normalization: the numerator"),
        pytest.param("layer_norm_by_hand", "Sub_6.0", "Add_3.0", id="x - mean(x): x"),
    ],
)
def test_products_follow_the_value(net: str, product: str, value: str) -> None:
    assert sources_of(channels_of(NETS[net]()), product) == {value}


def hard_swish(net: RandomNet, x: str) -> str:
    shifted = net.op("Add", x, net.constant(3.0, np.float32))
    gate = net.op("Clip", shifted, net.constant(0.0, np.float32), net.constant(6.0, np.float32))
    return net.op("Div", net.op("Mul", x, gate), net.constant(6.0, np.float32))


def gelu(net: RandomNet, x: str) -> str:
    erf = net.op("Erf", net.op("Div", x, net.constant(1.414, np.float32)))
    return net.op(
        "Mul",
        net.op("Mul", net.op("Add", erf, net.constant(1.0, np.float32)), x),
        net.constant(0.5, np.float32),
    )


def mish(net: RandomNet, x: str) -> str:
    return net.op("Mul", net.op("Tanh", net.op("Softplus", x)), x)


@pytest.mark.parametrize("activation", [hard_swish, gelu, mish], ids=lambda f: f.__name__)
def test_an_activation_by_hand_follows_its_argument(activation: Callable[[RandomNet, str], str]) -> None:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 4), 1)
    y = activation(net, x)
    channels = channels_of(net.model(net.conv(y, (4, 2), 1)))
    products = [node.output[0] for node in net.nodes if node.op_type == "Mul" and x in node.input]
    assert [sources_of(channels, name) for name in products] == [{x}]


# Attention


def test_attention_follows_the_values_and_ends_queries_and_keys() -> None:
    channels = channels_of(NETS["attention_by_hand"]())
    assert {end.reason for end in channels.ends} == {"query-key"}
    assert len(channels.ends) == 2
    assert "attention: followed the values" in marks_of(channels)


def test_query_key_macs_are_no_gap() -> None:
    graph = prepared(NETS["attention_by_hand"]())
    macs = {node: work.count("macs") or 0 for node, work in count_work(graph, graph[SHAPES]).items()}
    found = coverage(channels_of(NETS["attention_by_hand"]()), macs)
    assert found.query_key_macs == 2 * 5 * 5 * 3
    assert (found.layer_share, found.mac_share) == (1.0, 1.0)


# Inputs


@pytest.mark.parametrize(
    ("net", "axes"),
    [
        pytest.param("residual", (1,), id="image first"),
        pytest.param("channels_last", (3,), id="image last"),
        pytest.param("mlp", (2, 3), id="flattened image: every pixel"),
        pytest.param("swiglu", (2,), id="tokens"),
        pytest.param("lstm", (2,), id="batch first"),
        pytest.param("choices", (1,), id="signal"),
        pytest.param("branches", (1,), id="features"),
    ],
)
def test_an_input_has_the_channels_of_its_first_layer(net: str, axes: tuple[int, ...]) -> None:
    assert channels_of(NETS[net]()).tensors["x"].axes == axes


def test_a_mask_and_a_cache_of_keys_are_no_channels() -> None:
    net = RandomNet()
    x = net.input("x", 1, 5, 6)
    names = ("past_key", "past_value")
    keys, values = (
        net.op("Concat", net.input(name, 1, 2, 4, 3), _heads(net, net.linear(x, 6, 6)), axis=2)
        for name in names
    )
    scores = net.op("MatMul", _heads(net, net.linear(x, 6, 6)), net.op("Transpose", keys, perm=[0, 1, 3, 2]))
    scores = net.op("Softmax", net.op("Add", scores, net.input("mask", 1, 1, 5, 9)))
    mixed = net.op("Transpose", net.op("MatMul", scores, values), perm=[0, 2, 1, 3])
    y = net.linear(net.op("Reshape", mixed, net.ints(1, 5, 6)), 6, 6)
    channels = channels_of(net.model(y))
    assert set(channels.sources) == {"x", "past_value"}
    assert channels.tensors["past_value"].axes == (1, 3)


def _heads(net: RandomNet, x: str) -> str:
    return net.op("Transpose", net.op("Reshape", x, net.ints(0, 0, 2, 3)), perm=[0, 2, 1, 3])


def test_a_one_hot_written_out_begins_at_the_layer_that_takes_it() -> None:
    net = RandomNet()
    ids = net.op("Unsqueeze", net.input("ids", 1, 5, dtype=TensorProto.INT64), net.ints(2))
    hot = net.op("Cast", net.op("Equal", ids, net.constant(np.arange(7))), to=TensorProto.FLOAT)
    channels = channels_of(net.model(net.linear(hot, 7, 3)))
    assert channels.sources == (hot,)
    assert (channels.tensors[hot].axes, channels.tensors[hot].count) == ((2,), 7)


# Ends


def test_an_operator_without_a_rule_ends_the_path_by_name_and_a_new_one_begins_behind_it() -> None:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 4), 1)
    y = net.op("Det", x, name="determinant")
    y = net.op("DFT", x, name="spectrum")
    z = net.conv(net.op("Squeeze", net.op("Unsqueeze", y, net.ints(0)), net.ints(0)), (4, 2), 1)
    channels = channels_of(net.model(z))
    assert [(end.node, end.tensor, end.reason) for end in channels.ends] == [
        ("determinant", x, "no rule says where the channels of Det go"),
        ("spectrum", x, "no rule says where the channels of DFT go"),
    ]
    assert channels.sources[0] == "x"
    assert len(channels.sources) == 2
    assert channels.uncovered == {}


def test_a_computed_filter_is_a_gap_with_its_reason() -> None:
    net = RandomNet()
    x = net.conv(net.input("x", 1, 3, 4, 4), (3, 4), 1)
    y = net.op("Conv", x, net.input("w", 2, 4, 1, 1), name="dynamic")
    channels = channels_of(net.model(net.conv(y, (2, 2), 1)))
    assert [(end.node, end.reason) for end in channels.ends] == [
        ("dynamic", "its weights are computed by the model")
    ]


def test_layers_along_positions_are_no_part_of_the_graph_and_channels_go_on() -> None:
    channels = channels_of(NETS["mixer"]())
    assert set(channels.uncovered.values()) == {"its weights run along positions, not along channels"}
    assert len(channels.uncovered) == 2
    assert channels.ends == ()
    assert len(channels.sinks) == 1


def test_sorted_channels_end() -> None:
    net = RandomNet()
    x = net.dense(net.input("x", 2, 3), 3, 4)
    best, _ = net.ops("TopK", x, net.ints(2), count=2)
    channels = channels_of(net.model(best))
    assert [end.reason for end in channels.ends] == ["sorts channels by their values"]
    assert channels.sinks == ()


# Bodies


def test_alternatives_are_shared_alike() -> None:
    channels = channels_of(NETS["branches"]())
    (joined,) = (links for links in channels.into.values() if len(links) == 2)
    np.testing.assert_array_equal(np.array([link.gain for link in joined]), np.full((2, 5), 0.5))
    assert {link.mark for link in joined} == {"branch: alternatives in equal shares"}


def test_a_loop_is_unrolled_once() -> None:
    channels = channels_of(NETS["loop"]())
    assert "loop: unrolled once" in marks_of(channels)
    assert channels.uncovered == {}


def test_sources_of_links_come_before_their_targets() -> None:
    for build in NETS.values():
        channels = channels_of(build())
        place = {name: index for index, name in enumerate(channels.order)}
        for target, links in channels.into.items():
            assert all(place[link.source] < place[target] for link in links)
