"""Each kind of channel that can go: found, taken out, and nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from reference.prunable_oracle import distance, feeds_of, run

from nnea_graph.pruner import prune
from nnea_graph.report.schema_exact import ExactRemoval
from nnea_graph.rewrite.prune import Pruned

Tensors = dict[str, NDArray[Any]]
KINDS = ("unread", "dead", "constant", "cloned")


def model_of(
    nodes: Sequence[NodeProto], tensors: Tensors, shape: Sequence[int | str], *out: int | str
) -> ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        initializer=[
            numpy_helper.from_array(values.astype(np.float32), name) for name, values in tensors.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def exact(model: ModelProto, **options: Any) -> Pruned:
    found = prune(model, None, "exact", rounds=2, **options)
    assert found.report.met
    onnx.checker.check_model(found.model, full_check=True)
    feeds = feeds_of(model, 1)
    for got, wanted in zip(run(found.model, feeds), run(model, feeds), strict=True):
        assert distance(got, wanted) <= 1e-6
    return found


def removal(found: Pruned) -> ExactRemoval:
    assert found.report.exact is not None
    return found.report.exact


def went(found: Pruned) -> dict[str, int]:
    counts = Counter[str]()
    for family in removal(found).families:
        counts.update({kind: getattr(family, kind) for kind in KINDS})
    return {kind: count for kind, count in counts.items() if count}


def held(found: Pruned) -> dict[str, int]:
    counts = Counter[str]()
    for family in removal(found).families:
        counts.update(family.held)
    return dict(counts)


def shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    return {each.name: tuple(each.dims) for each in model.graph.initializer}


# Convolutions: a, normalized and rectified, read by c.


def images(reader: NodeProto, **wide: int) -> tuple[list[NodeProto], Tensors]:
    rng = np.random.default_rng(0)
    tensors: Tensors = {
        "a.w": rng.normal(size=(8, 3, 3, 3)),
        "a.b": rng.normal(size=8),
        "n.scale": rng.uniform(0.5, 2, 8),
        "n.shift": rng.normal(size=8),
        "n.mean": rng.normal(size=8),
        "n.var": rng.uniform(0.5, 2, 8),
        "c.w": rng.normal(
            size=(wide.get("outputs", 5), wide.get("inputs", 8), *(wide.get("kernel", 3),) * 2)
        ),
        "c.b": rng.normal(size=wide.get("outputs", 5)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "a.w", "a.b"], ["a.out"], name="a", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a.out", "n.scale", "n.shift", "n.mean", "n.var"], ["n.out"]),
        helper.make_node("Relu", ["n.out"], ["a.on"]),
        reader,
    ]
    return nodes, tensors


def conv(*pads: int, bias: str = "c.b", **attributes: Any) -> NodeProto:
    inputs = ["a.on", "c.w", *([bias] if bias else [])]
    return helper.make_node("Conv", inputs, ["y"], name="c", pads=pads or [0] * 4, **attributes)


def image_model(nodes: list[NodeProto], tensors: Tensors) -> ModelProto:
    return model_of(nodes, tensors, [2, 3, 9, 9], 2, tensors["c.w"].shape[0], "h", "w")


def test_dead_channels_go_with_their_normalization() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][[2, 6]], tensors["n.shift"][[2, 6]] = 0, -0.5
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"dead": 2}
    left = shapes(found.model)
    assert (left["a.w"], left["n.var"], left["c.w"]) == ((6, 3, 3, 3), (6,), (5, 6, 3, 3))


@pytest.mark.parametrize("bias", ["c.b", ""])
def test_constant_channels_go_into_the_next_bias(bias: str) -> None:
    nodes, tensors = images(conv(bias=bias))
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, 0.75
    if not bias:
        del tensors["c.b"]
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"constant": 1}
    assert shapes(found.model)["c.w"] == (5, 7, 3, 3)


def test_a_padded_convolution_holds_one_constant_channel_and_takes_the_others_into_it() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][[1, 3, 4]], tensors["n.shift"][[1, 3, 4]] = 0, [0.75, 0.25, 1.5]
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"cloned": 2}
    alone, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, 0.75
    found = exact(image_model(alone, tensors))
    assert went(found) == {}
    assert [(text.partition("zeros")[1], count) for text, count in held(found).items()] == [("zeros", 1)]


@pytest.mark.parametrize("times", [1.0, 0.5, 3.7])
def test_clones_and_multiples_leave_their_columns_to_the_one_that_stays(times: float) -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    for place in (4, 7):
        for name in ("a.w", "a.b", "n.mean", "n.shift"):
            tensors[name][place] = tensors[name][2] * times
        for name in ("n.scale", "n.var"):
            tensors[name][place] = tensors[name][2]
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"cloned": 2}
    assert shapes(found.model)["c.w"] == (5, 6, 3, 3)


def test_what_one_round_leaves_for_nothing_the_next_one_takes() -> None:
    """Equal channels that are read with opposite weights: where one has taken up the other, nothing reads it."""
    nodes, tensors = images(conv(1, 1, 1, 1))
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["c.w"][:, 5] = -tensors["c.w"][:, 1]
    found = exact(image_model(nodes, tensors))
    assert removal(found).rounds == 2
    assert went(found) == {"cloned": 1, "unread": 1}
    assert shapes(found.model)["a.w"] == (6, 3, 3, 3)
    assert found.plan.kept["a.w", 0].tolist() == [0, 2, 3, 4, 6, 7]


def test_what_no_row_reads_goes_and_what_only_that_has_read_as_well() -> None:
    nodes, tensors = images(conv())
    nodes[3] = helper.make_node("Conv", ["a.on", "c.w", "c.b"], ["c.out"], name="c")
    nodes.append(helper.make_node("Conv", ["c.out", "d.w"], ["y"], name="d"))
    tensors["d.w"] = np.random.default_rng(2).normal(size=(4, 5, 1, 1))
    tensors["d.w"][:, 1] = 0
    tensors["c.w"][np.arange(5) != 1, 6] = 0
    tensors["c.w"][:, 5] = 0
    found = exact(model_of(nodes, tensors, [2, 3, 9, 9], 2, 4, "h", "w"))
    assert went(found) == {"unread": 3}
    assert shapes(found.model)["a.w"] == (6, 3, 3, 3)


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


def test_a_layer_of_which_nothing_is_alive_keeps_a_channel() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    tensors["n.scale"][:], tensors["n.shift"][:] = 0, -1
    found = exact(image_model(nodes, tensors))
    assert went(found) == {"dead": 7}


def test_layers_that_are_to_be_kept_are() -> None:
    nodes, tensors = images(conv())
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, -0.75
    found = exact(image_model(nodes, tensors), keep=("a",))
    assert went(found) == {}
    assert held(found) == {"dead: kept, as --keep says": 1}


def test_half_precision_takes_no_sums_but_loses_what_is_dead() -> None:
    nodes, tensors = images(conv(1, 1, 1, 1))
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, -0.75
    model = image_model(nodes, tensors)
    for each in (*model.graph.input, *model.graph.output):
        each.type.tensor_type.elem_type = TensorProto.FLOAT16
    for each in model.graph.initializer:
        each.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(each).astype(np.float16), each.name))
    found = prune(model, None, "exact", rounds=2)
    assert found.report.met
    assert went(found) == {"dead": 1}
    assert any("float16" in reason for reason in held(found))
