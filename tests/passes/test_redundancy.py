"""Redundancy: what was planted is found, what goes changes nothing, and nothing is found that is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from oracles.annotated import annotated
from oracles.observing import quiet_options

from nnea_graph.graph import ModelGraph
from nnea_graph.passes.redundancy import MODEL_REDUNDANCY, REDUNDANCY, LayerRedundancyFact, known_channels

Array = NDArray[Any]
Tensors = dict[str, Array]


def model_of(nodes: Sequence[NodeProto], tensors: Tensors, shape: Sequence[int | str]) -> ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=[numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def analyzed(model: ModelProto) -> ModelGraph:
    return annotated(model, "redundancy")


def layer(graph: ModelGraph, name: str) -> LayerRedundancyFact:
    found = graph[graph.node(name), REDUNDANCY]
    assert found is not None
    return found


def outputs(model: ModelProto, x: Array, names: Sequence[str] = ("y",)) -> list[Array]:
    present = {value.name for value in model.graph.output}
    asked = ModelProto.FromString(model.SerializeToString())
    asked.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in present
    )
    session = onnxruntime.InferenceSession(asked.SerializeToString(), quiet_options())
    found: list[Array] = session.run(list(names), {"x": x})
    return found


def gemm(name: str, source: str, target: str) -> NodeProto:
    return helper.make_node("Gemm", [source, f"{name}.w", f"{name}.b"], [target], name=name, transB=1)


MLP = [
    gemm("a", "x", "a.out"),
    helper.make_node("Relu", ["a.out"], ["a.on"], name="a.relu"),
    gemm("b", "a.on", "b.out"),
    helper.make_node("Relu", ["b.out"], ["b.on"], name="b.relu"),
    gemm("c", "b.on", "y"),
]


def planted() -> Tensors:
    rng = np.random.default_rng(0)
    sizes = {"a": (16, 6), "b": (10, 16), "c": (4, 10)}
    tensors = {f"{name}.w": rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    tensors |= {f"{name}.b": rng.normal(size=size[0]).astype(np.float32) for name, size in sizes.items()}
    tensors["a.w"][3], tensors["a.b"][3] = 0, 0.7  # always the same number
    tensors["a.w"][4], tensors["a.b"][4] = 0, -0.7  # 0 behind the Relu
    tensors["a.w"][7], tensors["a.b"][7] = tensors["a.w"][2], tensors["a.b"][2]
    tensors["a.w"][8] = tensors["a.w"][2]  # another bias: not the same
    tensors["a.w"][11], tensors["a.b"][11] = 2 * tensors["a.w"][1], 2.001 * tensors["a.b"][1]
    tensors["b.w"][:, 9] = 0  # nothing reads channel 9 of a
    tensors["b.w"][5], tensors["b.b"][5] = -np.abs(tensors["b.w"][5]), -0.1  # never positive
    return tensors


def without(tensors: Tensors, graph: ModelGraph, maker: str, reader: str) -> Tensors:
    """The model with a layer's channels gone: columns of equal ones added up, constants in the bias."""
    found, rest = layer(graph, maker).channels, dict(tensors)
    wide = tensors[f"{reader}.w"].astype(np.float64).copy()
    for clone, twin in zip(found.cloned, found.twins, strict=True):
        wide[:, twin] += wide[:, clone]
    values = np.maximum(tensors[f"{maker}.b"][found.constant], 0)
    bias = tensors[f"{reader}.b"] + wide[:, found.constant] @ values
    kept = np.setdiff1d(np.arange(found.channels), found.exact)
    rest[f"{maker}.w"], rest[f"{maker}.b"] = tensors[f"{maker}.w"][kept], tensors[f"{maker}.b"][kept]
    rest[f"{reader}.w"], rest[f"{reader}.b"] = wide[:, kept].astype(np.float32), bias.astype(np.float32)
    return rest


def test_planted_channels_are_found_and_their_removal_changes_nothing() -> None:
    tensors = planted()
    graph = analyzed(model_of(MLP, tensors, ["n", 6]))
    a, b = layer(graph, "a").channels, layer(graph, "b").channels
    assert (a.unread.tolist(), a.dead.tolist(), a.constant.tolist()) == ([9], [4], [3])
    assert (a.cloned.tolist(), a.twins.tolist(), a.parallel.tolist()) == ([7], [2], [11])
    assert (b.unread.tolist(), b.dead.tolist(), b.constant.tolist(), b.cloned.tolist()) == ([], [5], [], [])
    assert layer(graph, "c").channels.exact.size == 0
    smaller = without(without(tensors, graph, "a", "b"), graph, "b", "c")
    assert smaller["a.w"].shape == (12, 6)
    assert smaller["b.w"].shape == (9, 12)
    x = np.random.default_rng(1).normal(size=(500, 6)).astype(np.float32)
    (before,), (after,) = (
        outputs(model_of(MLP, tensors, ["n", 6]), x),
        outputs(model_of(MLP, smaller, ["n", 6]), x),
    )
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6 * np.abs(before).max())


def test_what_is_saved_is_rows_and_columns_each_once() -> None:
    graph = analyzed(model_of(MLP, planted(), [1, 6]))
    left = 12 * 6 + 9 * 12 + 4 * 9
    gone = 16 * 6 + 10 * 16 + 4 * 10 - left
    assert graph[MODEL_REDUNDANCY].exact.macs == gone
    assert graph[MODEL_REDUNDANCY].exact.bytes == 4 * gone
    assert layer(graph, "a").exact.macs == 4 * 6 + 4 * 10
    assert layer(graph, "a").approximate.macs == 6 + 10


def test_multiples_of_a_channel_are_clones_where_the_function_keeps_them() -> None:
    tensors = planted()
    for row, times in ((0, 3.7), (6, 0.25), (9, -2.0)):
        tensors["a.w"][row], tensors["a.b"][row] = times * tensors["a.w"][12], times * tensors["a.b"][12]
    tensors["b.w"][:, 9] = 1
    relu = analyzed(model_of(MLP, tensors, ["n", 6]))
    found = layer(relu, "a").channels
    assert found.cloned.tolist() == [6, 7, 12]
    assert found.twins.tolist() == [0, 2, 0]  # -2 times is not kept by Relu
    np.testing.assert_allclose(found.factors, [0.25 / 3.7, 1, 1 / 3.7], rtol=1e-6)
    x = np.random.default_rng(1).normal(size=(100, 6)).astype(np.float32)
    (on,) = outputs(model_of(MLP, tensors, ["n", 6]), x, ["a.on"])
    np.testing.assert_allclose(on[:, found.cloned], on[:, found.twins] * found.factors, rtol=1e-5, atol=1e-6)
    for kind, cloned in (("Sigmoid", [7]), ("Neg", [4, 6, 7, 9, 12]), ("LeakyRelu", [6, 7, 12])):
        nodes = [MLP[0], helper.make_node(kind, ["a.out"], ["a.on"]), *MLP[2:]]
        graph = analyzed(model_of(nodes, tensors, ["n", 6]))
        assert layer(graph, "a").channels.cloned.tolist() == cloned


def convolutions(*, residual: bool) -> tuple[list[NodeProto], Tensors]:
    rng = np.random.default_rng(4)
    tensors = {
        "a.w": rng.normal(size=(8, 3, 3, 3)),
        "a.b": rng.normal(size=8),
        **{f"n.{part}": rng.uniform(0.5, 2, 8) for part in ("scale", "shift", "mean", "var")},
        "d.w": rng.normal(size=(8, 1, 3, 3)),
        "d.b": rng.normal(size=8),
        "p.w": rng.normal(size=(8, 8, 1, 1)),
        "p.b": rng.normal(size=8),
    }
    for name in ("a.w", "a.b", "n.scale", "n.shift", "n.mean", "n.var"):
        tensors[name][5] = tensors[name][1]  # equal after the normalization
        if name in {"a.w", "a.b"}:
            tensors[name][6] = tensors[name][2]  # equal before it only
    tensors["n.scale"][7], tensors["n.shift"][7] = 0, 0.5  # constant, and a padded convolution follows
    tensors["n.scale"][3], tensors["n.shift"][3] = 0, -0.5  # 0 behind the Relu
    tensors["d.w"][5], tensors["d.b"][5] = tensors["d.w"][1], tensors["d.b"][1]  # equal again
    nodes = [
        helper.make_node("Conv", ["x", "a.w", "a.b"], ["a.out"], name="a", pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization",
            ["a.out", *(f"n.{part}" for part in ("scale", "shift", "mean", "var"))],
            ["n.out"],
        ),
        helper.make_node("Relu", ["n.out"], ["a.on"]),
        helper.make_node("Conv", ["a.on", "d.w", "d.b"], ["d.out"], name="d", pads=[1, 1, 1, 1], group=8),
        helper.make_node("Conv", ["d.out", "p.w", "p.b"], ["p.out"], name="p"),
        helper.make_node("Add", ["p.out", "a.on"], ["y"])
        if residual
        else helper.make_node("Relu", ["p.out"], ["y"]),
    ]
    return nodes, {name: values.astype(np.float32) for name, values in tensors.items()}


def test_convolutions_with_normalization_depthwise_and_edges() -> None:
    nodes, tensors = convolutions(residual=False)
    model = model_of(nodes, tensors, [1, 3, 9, 9])
    graph = analyzed(model)
    a, d = layer(graph, "a").channels, layer(graph, "d").channels
    for found in (a, d):  # what they are where the 1x1 convolution reads them: they only go together
        assert (found.cloned.tolist(), found.twins.tolist()) == ([5], [1])
        assert (found.constant.tolist(), found.dead.tolist(), found.held.tolist()) == ([3], [], [])
    x = np.random.default_rng(1).normal(size=(1, 3, 9, 9)).astype(np.float32)
    on, out = outputs(model, x, ["a.on", "d.out"])
    np.testing.assert_array_equal(on[:, 5], on[:, 1])
    np.testing.assert_array_equal(out[:, 5], out[:, 1])
    assert not on[:, 3].any()


def test_a_normalization_by_the_batch_tells_nothing() -> None:
    nodes, tensors = convolutions(residual=False)
    nodes[1].attribute.append(helper.make_attribute("training_mode", 1))
    nodes[1].output.extend(["mean.now", "var.now"])
    found = layer(analyzed(model_of(nodes, tensors, [1, 3, 9, 9])), "a").channels
    assert found.exact.size == found.held.size == 0


def test_equal_channels_that_a_depthwise_convolution_tells_apart_stay() -> None:
    nodes, tensors = convolutions(residual=False)
    tensors["d.w"][5] += 1
    graph = analyzed(model_of(nodes, tensors, [1, 3, 9, 9]))
    assert layer(graph, "a").channels.cloned.size == 0


@pytest.mark.parametrize(("kind", "dead"), [("Gelu", [4]), ("Swish", [4]), ("Softsign", [4]), ("Exp", [])])
def test_nothing_stays_nothing_behind_functions_that_are_0_at_0(kind: str, dead: list[int]) -> None:
    tensors = planted()
    tensors["a.b"][4] = 0
    nodes = [MLP[0], helper.make_node(kind, ["a.out"], ["a.on"]), *MLP[2:]]
    model = model_of(nodes, tensors, ["n", 6])
    model.opset_import[0].version = 24
    found = layer(analyzed(model), "a").channels
    assert found.dead.tolist() == dead
    assert found.constant.tolist() == []  # 3 is a number, but which one is not computed


@pytest.mark.parametrize(("how", "held_by"), [("Mul", "are computed"), ("tied", "are tied")])
def test_clones_are_held_by_weights_that_take_no_columns(how: str, held_by: str) -> None:
    tensors = planted()
    nodes = list(MLP)
    if how == "Mul":
        nodes[2] = helper.make_node("Gemm", ["a.on", "b.made", "b.b"], ["b.out"], name="b", transB=1)
        nodes.insert(0, helper.make_node("Mul", ["b.w", "half"], ["b.made"]))
        tensors["half"] = np.array(0.5, np.float32)
    else:
        nodes.append(helper.make_node("Gemm", ["a.on", "b.w", "b.b"], ["more"], name="more", transB=1))
        nodes[4] = gemm("c", "b.on", "c.out")
        nodes.append(helper.make_node("ReduceMax", ["more", "last"], ["most"]))
        nodes.append(helper.make_node("Add", ["c.out", "most"], ["y"]))
        tensors["last"] = np.array([1])
    graph = analyzed(model_of(nodes, tensors, ["n", 6]))
    found = layer(graph, "a").channels
    assert (found.cloned.tolist(), found.held.tolist()) == ([], [7])
    assert found.held_by == f"the weights of 'b' {held_by}"
    assert found.dead.tolist() == [4]


def test_a_constant_channel_that_a_padded_convolution_reads_is_held() -> None:
    nodes, tensors = convolutions(residual=False)
    nodes[3] = helper.make_node("Conv", ["a.on", "wide"], ["d.out"], name="d", pads=[1, 1, 1, 1])
    tensors["wide"] = np.random.default_rng(1).normal(size=(8, 8, 3, 3)).astype(np.float32)
    found = layer(analyzed(model_of(nodes, tensors, [1, 3, 9, 9])), "a").channels
    assert (found.held.tolist(), found.held_by) == ([7], "the zeros at the edges of a convolution")
    assert (found.dead.tolist(), found.cloned.tolist()) == ([3], [5])


def test_what_a_residual_join_holds_does_not_go() -> None:
    nodes, tensors = convolutions(residual=True)
    found = layer(analyzed(model_of(nodes, tensors, [1, 3, 9, 9])), "a").channels
    assert found.exact.size == 0
    assert found.held.size == 0 or "Add" in found.held_by


@pytest.mark.parametrize("times", [2.0, 3.7, -0.3])
def test_multiples_through_bias_normalization_and_sums(times: float) -> None:
    """As Keras writes them: the bias, and a normalization after it, are operators of their own."""
    rng = np.random.default_rng(3)
    tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in SIZES.items()}
    tensors["var"] = np.abs(tensors["var"]) + np.float32(0.5)
    for name in ("w", "b", "mean", "w2", "b2"):
        tensors[name][..., 5] = np.float32(times) * tensors[name][..., 1]
    for name in ("scale", "var"):
        tensors[name][5] = tensors[name][1]
    tensors["shift"][5] = np.float32(times) * tensors["shift"][1]
    norm = helper.make_node("BatchNormalization", ["b.out", "scale", "shift", "mean", "var"], ["n.out"])
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["w.out"], name="a"),
        helper.make_node("Add", ["w.out", "b"], ["b.out"]),
        norm,
        helper.make_node("MatMul", ["x", "w2"], ["w2.out"], name="a2"),
        helper.make_node("Add", ["b2", "w2.out"], ["b2.out"]),
        helper.make_node("Add", ["n.out", "b2.out"], ["sum"]),
        helper.make_node("LeakyRelu", ["sum"], ["on"]),
        helper.make_node("MatMul", ["on", "v"], ["y"], name="c"),
    ]
    model = model_of(nodes, tensors, ["n", 6])
    known = known_channels(analyzed(model)).values["on"]
    assert (known.label[5] == known.label[1]) == (times > 0)
    assert len(set(known.label.tolist())) == 8 - (times > 0)
    x = rng.normal(size=(100, 6)).astype(np.float32)
    (on,) = outputs(model, x, ["on"])
    if times > 0:
        factor = known.factor[5] / known.factor[1]
        np.testing.assert_allclose(on[:, 5], factor * on[:, 1], rtol=1e-5, atol=1e-5)


SIZES = {"w": (6, 8), "b": (8,), "w2": (6, 8), "b2": (8,), "v": (8, 3)}
SIZES |= dict.fromkeys(("scale", "shift", "mean", "var"), (8,))


def test_a_channel_that_only_unread_channels_read_is_unread() -> None:
    tensors = planted()
    tensors["c.w"][:, 2] = 0
    tensors["b.w"][np.arange(10) != 2, 6] = 0
    graph = analyzed(model_of(MLP, tensors, [1, 6]))
    assert layer(graph, "b").channels.unread.tolist() == [2]
    assert layer(graph, "a").channels.unread.tolist() == [6, 9]


def test_tensors_stored_twice_are_found() -> None:
    tensors = planted()
    tensors["b.w"] = np.random.default_rng(5).normal(size=(16, 16)).astype(np.float32)
    tensors["b.b"] = np.zeros(16, np.float32)
    tensors["a.w"] = tensors["b.w"].copy()
    tensors["c.w"] = np.random.default_rng(6).normal(size=(4, 16)).astype(np.float32)
    twins = analyzed(model_of(MLP, tensors, [1, 16]))[MODEL_REDUNDANCY].duplicates
    assert {(each.tensor, each.of, each.kind, each.bytes) for each in twins} & {
        ("b.w", "a.w", "identical", 1024),
        ("a.w", "b.w", "identical", 1024),
    }


@pytest.mark.parametrize("seed", range(6))
def test_on_random_networks_all_that_is_said_holds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensors = planted()
    for name in ("a", "b"):
        for _ in range(6):
            one, other = rng.integers(len(tensors[f"{name}.w"]), size=2)
            tensors[f"{name}.w"][one] = tensors[f"{name}.w"][other] * rng.choice([0, 1, -1])
            tensors[f"{name}.b"][one] = tensors[f"{name}.b"][other] * rng.choice([1, -1])
            tensors[f"{name}.w"][one] *= rng.choice([1, 1, np.sign(-tensors[f"{name}.w"][one]).mean()])
    tensors["c.w"][:, rng.integers(10, size=2)] = 0
    model = model_of(MLP, tensors, ["n", 6])
    graph = analyzed(model)
    x = (10 * rng.normal(size=(400, 6))).astype(np.float32)
    smaller = without(without(tensors, graph, "a", "b"), graph, "b", "c")
    (before,), (after,) = outputs(model, x), outputs(model_of(MLP, smaller, ["n", 6]), x)
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6 * np.abs(before).max())
    on = dict(zip("ab", outputs(model, x, ["a.on", "b.on"]), strict=True))
    for name, seen in on.items():
        found = layer(graph, name).channels
        assert not seen[:, found.dead].any()
        np.testing.assert_array_equal(seen[:, found.cloned], seen[:, found.twins])
