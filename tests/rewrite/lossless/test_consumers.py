"""The ways of channels to the weights that read them: groups, sums, joins, resizing, products, computed weights."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from oracles.exactly import Tensors, conv, exact, held, image_model, images, model_of, shapes, went


def test_the_groups_of_a_convolution_read_apart() -> None:
    """A twin in another group cannot take a column up; channels go alike in all groups."""
    nodes, tensors = images(conv(group=2), inputs=4, outputs=6)
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    assert went(exact(image_model(nodes, tensors))) == {}
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][[2, 6]] = tensors[name][[0, 4]]
    found = exact(image_model(nodes, tensors))
    assert shapes(found.model)["c.w"] == (6, 3, 3, 3)


def test_a_residual_stream_goes_when_all_that_make_a_channel_of_it_repeat_another() -> None:
    rng = np.random.default_rng(3)
    tensors = {f"{name}.w": rng.normal(size=(8, 8, 1, 1)) for name in "abc"}
    tensors["a.w"] = rng.normal(size=(8, 3, 3, 3))
    nodes = [
        helper.make_node("Conv", ["x", "a.w"], ["a.out"], name="a"),
        helper.make_node("Relu", ["a.out"], ["a.on"]),
        helper.make_node("Conv", ["a.on", "b.w"], ["b.out"], name="b"),
        helper.make_node("Add", ["b.out", "a.on"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["sum.on"]),
        helper.make_node("Conv", ["sum.on", "c.w"], ["y"], name="c"),
    ]
    tensors["a.w"][5] = tensors["a.w"][0]
    model = model_of(nodes, tensors, [2, 3, 9, 9], 2, 8, "h", "w")
    assert went(exact(model)) == {}
    tensors["b.w"][5] = tensors["b.w"][0]
    found = exact(model_of(nodes, tensors, [2, 3, 9, 9], 2, 8, "h", "w"))
    assert went(found) == {"cloned": 1}
    assert shapes(found.model)["b.w"] == (7, 7, 1, 1)


def test_channels_that_are_joined_and_flattened_are_found_by_their_places() -> None:
    nodes, tensors = images(conv())
    nodes[3:] = [
        helper.make_node("MaxPool", ["a.on"], ["small"], kernel_shape=[3, 3], strides=[3, 3]),
        helper.make_node("Concat", ["small", "small"], ["both"], axis=1),
        helper.make_node("Flatten", ["both"], ["flat"]),
        helper.make_node("Gemm", ["flat", "g.w"], ["y"], name="g", alpha=0.5),
    ]
    tensors["g.w"] = np.random.default_rng(2).normal(size=(16 * 9, 4))
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["n.scale"][[3, 6]], tensors["n.shift"][[3, 6]] = 0, [-1, 0.5]
    found = exact(model_of(nodes, tensors, [2, 3, 9, 9], 2, 4))
    assert went(found) == {"dead": 1, "constant": 1, "cloned": 1}
    assert shapes(found.model)["g.w"] == (10 * 9, 4)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_channels_are_followed_through_resizing_and_padding(mode: str) -> None:
    nodes, tensors = images(conv())
    sizes = [
        helper.make_node("Constant", [], ["scales"], value_floats=[1.0, 1.0, 2.0, 2.0]),
        helper.make_node("Constant", [], ["pads"], value_ints=[0, 0, 1, 1, 0, 0, 1, 1]),
    ]
    nodes[3:] = [
        *sizes,
        helper.make_node("Resize", ["a.on", "", "scales"], ["wide"], mode=mode),
        helper.make_node("Pad", ["wide", "pads"], ["wider"]),
        helper.make_node("Conv", ["wider", "c.w", "c.b"], ["y"], name="c"),
    ]
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, -1
    tensors["c.w"][:, 7] = 0
    dead = {} if mode == "cubic" else {"dead": 1}
    assert went(exact(image_model(nodes, tensors))) == {"cloned": 1, "unread": 1} | dead


@pytest.mark.parametrize("bias", [False, True])
def test_a_product_has_its_bias_in_an_operator_behind_it(*, bias: bool) -> None:
    rng = np.random.default_rng(3)
    tensors: Tensors = {"a.w": rng.normal(size=(6, 8)), "a.b": rng.normal(size=8)}
    tensors |= {"c.w": rng.normal(size=(8, 4)), "c.b": rng.normal(size=4)}
    tensors["a.w"][:, 2] = 0
    nodes = [
        helper.make_node("MatMul", ["x", "a.w"], ["a.out"], name="a"),
        helper.make_node("Add", ["a.b", "a.out"], ["a.sum"]),
        helper.make_node("Sigmoid", ["a.sum"], ["a.on"]),
        helper.make_node("MatMul", ["a.on", "c.w"], ["y"], name="c"),
    ]
    if bias:
        nodes[3].output[0] = "c.out"
        nodes.append(helper.make_node("Add", ["c.out", "c.b"], ["y"]))
    found = exact(model_of(nodes, tensors, [5, 6], 5, 4))
    assert went(found) == {"constant": 1}
    assert [node.op_type for node in found.model.graph.node] == ["MatMul", "Add", "Sigmoid", "MatMul", "Add"]


def test_weights_that_are_computed_or_tied_lose_constants_to_the_bias_but_take_no_columns() -> None:
    nodes, tensors = images(conv())
    nodes[3] = helper.make_node("Conv", ["a.on", "c.turned", "c.b"], ["y"], name="c")
    nodes.insert(0, helper.make_node("Mul", ["c.w", "half"], ["c.turned"]))
    tensors["half"] = np.array(0.5)
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, 0.75
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"constant": 1}
    assert held(found) == {"cloned: 'c': its weights are made by Mul": 1}


def test_a_transposed_convolution_takes_columns() -> None:
    nodes, tensors = images(conv())
    nodes[3] = helper.make_node("ConvTranspose", ["a.on", "c.w", "c.b"], ["y"], name="c", strides=[2, 2])
    tensors["c.w"] = tensors["c.w"].swapaxes(0, 1)
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    found = exact(model_of(nodes, tensors, [2, 3, 9, 9], 2, 5, "h", "w"))
    assert went(found) == {"cloned": 1}
    assert shapes(found.model)["c.w"] == (7, 5, 3, 3)
