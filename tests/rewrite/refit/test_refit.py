"""What a refitted network gives, against what the original gives and what can be known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper
from oracles.slicing import Cuts, network, outputs, parts_of, sliced, weights

from nnea_graph.api.analyze import load
from nnea_graph.rewrite.refit.options import RefitOptions
from nnea_graph.rewrite.refit.refit import Refitted, refit
from nnea_graph.static.dims import symbolic_inputs

Array = NDArray[Any]
RNG = np.random.default_rng(0)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _same_numbers_in_any_order() -> None:
    RNG.bit_generator.state = START


def node(op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(op_type, inputs, [output], name=output, **attributes)


def refitted(model: ModelProto, cuts: Cuts, x: Array, **options: Any) -> Refitted:
    graph = load(model)
    parts = parts_of(x, symbolic_inputs(graph))
    return refit(graph, sliced(model, cuts), cuts, parts, RefitOptions(**options))


def normal(*shape: int) -> Array:
    return np.asarray(RNG.normal(size=shape) / np.sqrt(np.prod(shape[1:])), np.float32)


def close(found: ModelProto, model: ModelProto, x: Array, tolerance: float = 1e-4) -> None:
    onnx.checker.check_model(found, full_check=True)
    expected = outputs(model, x)
    np.testing.assert_allclose(outputs(found, x), expected, atol=tolerance * np.abs(expected).max())


def images(count: int = 64) -> Array:
    return np.asarray(RNG.normal(size=(count, 3, 8, 8)), np.float32)


def convolutions(**second: Any) -> ModelProto:
    """Two convolutions; 4 and 5 of the first one's channels repeat 0 and 1."""
    w1, b1 = normal(6, 3, 3, 3), normal(6)
    w1[0, :, 1, 1] = 1
    w1[4:], b1[4:] = w1[:2], b1[:2]
    nodes = [
        node("Conv", ["x", "w1", "b1"], "h", pads=[1, 1, 1, 1]),
        node("Relu", ["h"], "a"),
        node("Conv", ["a", "w2", "b2"], "y", **second),
    ]
    constants = {"w1": w1, "b1": b1, "w2": normal(5, 6, 3, 3), "b2": normal(5)}
    return network(nodes, constants, ["n", 3, 8, 8], ["n", 5, "h", "w"])


def without_copies() -> Cuts:
    kept = np.arange(4)
    return {("w1", 0): kept, ("b1", 0): kept, ("h", 1): kept, ("a", 1): kept, ("w2", 1): kept}


@pytest.mark.parametrize(
    "second",
    [{}, {"strides": [2, 2], "pads": [1, 1, 1, 1]}, {"dilations": [2, 2]}, {"auto_pad": "SAME_LOWER"}],
)
def test_channels_that_repeat_others_are_made_up_for(second: dict[str, Any]) -> None:
    model, x = convolutions(**second), images()
    found = refitted(model, without_copies(), x)
    close(found.model, model, images(5))
    (layer,) = found.layers
    assert layer.refitted
    assert layer.before is not None
    assert layer.before > 0.1
    assert layer.after is not None
    assert layer.after < 1e-4


@pytest.mark.parametrize(
    "second",
    [{"strides": [2, 2]}, {"pads": [1, 1, 1, 1], "output_padding": [1, 0], "strides": [2, 3]}],
    ids=["kernel-over-stride", "padded"],
)
def test_a_transposed_convolution_makes_up_for_what_it_reads_no_more(second: dict[str, Any]) -> None:
    w1, b1 = normal(6, 3, 3, 3), normal(6)
    w1[4:], b1[4:] = w1[:2], b1[:2]
    nodes = [
        node("Conv", ["x", "w1", "b1"], "h"),
        node("Relu", ["h"], "a"),
        node("ConvTranspose", ["a", "w2"], "y", **second),
    ]
    constants = {"w1": w1, "b1": b1, "w2": normal(6, 5, 3, 3)}
    model, x = network(nodes, constants, ["n", 3, 8, 8], ["n", 5, "h", "w"]), images()
    kept = np.arange(4)
    cuts = {("w1", 0): kept, ("b1", 0): kept, ("h", 1): kept, ("a", 1): kept, ("w2", 0): kept}
    found = refitted(model, cuts, x)
    close(found.model, model, images(5))
    assert found.layers[0].before is not None
    assert found.layers[0].before > 0.1


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("op_type", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_gates_make_up_for_what_a_recurrent_layer_reads_no_more(
    op_type: str, gates: int, *, biased: bool
) -> None:
    """Channels 5 and 6 of the sequence repeat 0 and 1, and 7 is constant: a bias stands for it."""
    w1, b1 = normal(4, 8), normal(8)
    w1[:, 5:7], b1[5:7] = w1[:, :2], b1[:2]
    w1[:, 7], b1[7] = 0, 2
    inputs = ["a", "w", "r", *(["b"] if biased else [])]
    nodes = [
        node("MatMul", ["x", "w1"], "h"),
        node("Add", ["h", "b1"], "s"),
        node("Relu", ["s"], "a"),
        helper.make_node(
            op_type, inputs, ["", "last"], name="cell", direction="bidirectional", hidden_size=3
        ),
        node("Transpose", ["last"], "y", perm=[1, 0, 2]),
    ]
    constants = {"w1": w1, "b1": b1, "w": normal(2, gates * 3, 8), "r": normal(2, gates * 3, 3)}
    if biased:
        constants["b"] = normal(2, gates * 6)
    model = network(nodes, constants, [5, "n", 4], ["n", 2, 3])
    kept = np.arange(5)
    cuts = {("w1", 1): kept, ("b1", 0): kept, **{(name, 2): kept for name in ("h", "s", "a", "w")}}
    found = refitted(model, cuts, np.asarray(RNG.normal(size=(5, 64, 4)), np.float32))
    close(found.model, model, np.asarray(RNG.normal(size=(5, 9, 4)), np.float32))
    (layer,) = found.layers
    assert layer.refitted
    assert not layer.target
    assert layer.before is not None
    assert layer.before > 0.1


def test_where_nothing_is_removed_weights_stay() -> None:
    model, x = convolutions(), images()
    every = np.arange(6)
    found = refitted(model, {("h", 1): every, ("a", 1): every}, x)
    for name, array in weights(model).items():
        np.testing.assert_allclose(weights(found.model)[name], array, atol=1e-6)
    np.testing.assert_allclose(outputs(found.model, x), outputs(model, x), atol=1e-5)


def test_linear_combinations_are_made_up_for_layer_after_layer() -> None:
    w1, w2 = normal(4, 6), normal(6, 8)
    w1[:, 5] = w1[:, 0] - w1[:, 3]
    w2[:, 6:] = w2[:, :2] @ np.array([[1, 2], [3, -1]])
    nodes = [
        node("MatMul", ["x", "w1"], "h"),
        node("MatMul", ["h", "w2"], "g"),
        node("MatMul", ["g", "w3"], "y"),
    ]
    model = network(nodes, {"w1": w1, "w2": w2, "w3": normal(8, 3)}, ["n", 7, 4], ["n", 7, 3])
    five, six = np.arange(5), np.arange(6)
    cuts = {("w1", 1): five, ("h", 2): five, ("w2", 0): five, ("w2", 1): six, ("g", 2): six, ("w3", 0): six}
    found = refitted(model, cuts, np.asarray(RNG.normal(size=(40, 7, 4)), np.float32))
    assert [layer.node for layer in found.layers] == ["g", "y"]
    close(found.model, model, np.asarray(RNG.normal(size=(3, 7, 4)), np.float32))


def test_a_missing_bias_is_added_where_it_helps() -> None:
    """Without the channel that is constant, only a bias can stand for it."""
    w1, b1 = normal(4, 6), normal(6)
    w1[:, 5], b1[5] = 0, 3
    nodes = [node("Gemm", ["x", "w1", "b1"], "h"), node("Relu", ["h"], "a"), node("Gemm", ["a", "w2"], "y")]
    model = network(nodes, {"w1": w1, "b1": b1, "w2": normal(6, 3)}, ["n", 4], ["n", 3])
    five = np.arange(5)
    cuts = {("w1", 1): five, ("b1", 0): five, ("h", 1): five, ("a", 1): five, ("w2", 0): five}
    found = refitted(model, cuts, np.asarray(RNG.normal(size=(100, 4)), np.float32))
    close(found.model, model, np.asarray(RNG.normal(size=(9, 4)), np.float32))
    np.testing.assert_allclose(weights(found.model)["y/bias"], 3 * weights(model)["w2"][5], atol=1e-4)


@pytest.mark.parametrize(
    ("last", "constants"),
    [
        ([node("MatMul", ["a", "w2"], "m"), node("Add", ["c", "m"], "y")], {"c": normal(3)}),
        ([node("MatMul", ["a", "w2"], "m"), node("Add", ["m", "c"], "y")], {"c": normal(1, 3)}),
        ([node("Gemm", ["a", "w2", "c"], "y", beta=0.5)], {"c": normal(3)}),
        ([node("Gemm", ["a", "w2", "c"], "y", beta=0.0)], {"c": normal(3)}),
        ([node("Gemm", ["a", "w2", "c"], "y")], {"c": normal(1)}),
        ([node("Gemm", ["a", "w2"], "g"), node("Add", ["g", "c"], "y")], {"c": normal(3)}),
    ],
    ids=["add-before", "add-behind", "beta", "beta-0", "one-for-all", "own-and-add"],
)
def test_biases_of_every_kind_take_up_a_constant_channel(
    last: list[NodeProto], constants: dict[str, Array]
) -> None:
    w1, b1 = normal(4, 6), normal(6)
    w1[:, 5], b1[5] = 0, 3
    nodes = [node("Gemm", ["x", "w1", "b1"], "h"), node("Relu", ["h"], "a"), *last]
    model = network(nodes, {"w1": w1, "b1": b1, "w2": normal(6, 3), **constants}, ["n", 4], ["n", 3])
    five = np.arange(5)
    cuts = {("w1", 1): five, ("b1", 0): five, ("h", 1): five, ("a", 1): five, ("w2", 0): five}
    found = refitted(model, cuts, np.asarray(RNG.normal(size=(100, 4)), np.float32))
    close(found.model, model, np.asarray(RNG.normal(size=(9, 4)), np.float32))


def test_a_bias_that_others_read_too_stays_theirs() -> None:
    w1, shared = normal(4, 6), normal(6)
    nodes = [
        node("Gemm", ["x", "w1", "b"], "h"),
        node("Relu", ["h"], "a"),
        node("Gemm", ["a", "w2", "b"], "g"),
        node("Gemm", ["x", "w3", "b"], "s"),
        node("Add", ["g", "s"], "y"),
    ]
    constants = {"w1": w1, "w2": normal(6, 6), "w3": normal(4, 6), "b": shared}
    model = network(nodes, constants, ["n", 4], ["n", 6])
    cuts = {("w2", 0): np.arange(6), ("a", 1): np.arange(6)}
    pruned = sliced(model, cuts)
    pruned.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(normal(6, 6), "w2"))
    graph = load(model)
    x = np.asarray(RNG.normal(size=(200, 4)), np.float32)
    found = refit(graph, pruned, cuts, parts_of(x, symbolic_inputs(graph)))
    np.testing.assert_array_equal(weights(found.model)["b"], shared)
    close(found.model, model, x)


def residual() -> tuple[ModelProto, Cuts]:
    """The left branch keeps 2 channels of 4; the right one, behind a normalization, reads what there was before."""
    nodes = [
        node("Conv", ["x", "w1"], "h"),
        node("Conv", ["h", "w2"], "left"),
        node("Conv", ["x", "w3"], "c3"),
        node("BatchNormalization", ["c3", "s", "o", "m", "v"], "right"),
        node("Mul", ["right", "f"], "scaled"),
        node("Add", ["left", "scaled"], "sum"),
        node("Relu", ["sum"], "y"),
    ]
    constants = {
        "w1": normal(4, 4, 1, 1),
        "w2": normal(5, 4, 1, 1),
        "w3": normal(5, 4, 1, 1),
        "s": np.array([1, -2, 0.5, 3, 0.1]),
        "o": normal(5),
        "m": normal(5),
        "v": np.array([1, 2, 0.5, 1, 1]),
        "f": np.array([1, 2, 3, 4, -1.0]).reshape(5, 1, 1),
    }
    two = np.array([0, 3])
    cuts = {("w1", 0): two, ("h", 1): two, ("w2", 1): two}
    return network(nodes, constants, ["n", 4, 6, 6], ["n", 5, 6, 6]), cuts


def test_the_last_branch_of_a_sum_makes_up_for_the_other() -> None:
    model, cuts = residual()
    found = refitted(model, cuts, np.asarray(RNG.normal(size=(60, 4, 6, 6)), np.float32))
    left, right = found.layers
    assert (left.node, left.at_sum, left.target) == ("left", False, "left")
    assert (right.node, right.at_sum, right.target) == ("c3", True, "sum")
    assert left.after is not None
    assert left.after > 0.1
    close(found.model, model, np.asarray(RNG.normal(size=(4, 4, 6, 6)), np.float32))


def deep(count: int = 6) -> tuple[ModelProto, Cuts]:
    """Each layer loses 6 channels of 32 behind a Relu: nothing can make up for them altogether."""
    nodes, constants, last = [], {"w0": normal(5, 32)}, "x"
    cuts: dict[tuple[str, int], Array] = {}
    kept = np.arange(26)
    for place in range(count):
        nodes += [node("MatMul", [last, f"w{place}"], f"h{place}"), node("Relu", [f"h{place}"], f"a{place}")]
        constants[f"w{place + 1}"] = normal(32, 32)
        last = f"a{place}"
        cuts |= {(f"w{place}", 1): kept, (f"h{place}", 1): kept, (last, 1): kept, (f"w{place + 1}", 0): kept}
    nodes.append(node("MatMul", [last, f"w{count}"], "y"))
    return network(nodes, constants, ["n", 5], ["n", 32]), cuts


def test_what_is_lacking_is_less_than_without_refit() -> None:
    model, cuts = deep()
    found = refitted(model, cuts, np.asarray(RNG.normal(size=(400, 5)), np.float32))
    x = np.asarray(RNG.normal(size=(100, 5)), np.float32)
    expected = outputs(model, x)
    with_it, without = (outputs(each, x) - expected for each in (found.model, sliced(model, cuts)))
    assert np.linalg.norm(with_it) < 0.5 * np.linalg.norm(without)
    assert [layer.node for layer in found.layers] == ["h1", "h2", "h3", "h4", "h5", "y"]


def test_few_samples_do_no_harm() -> None:
    """15 rows for 27 unknowns of each output: the ridge is chosen by 5 that were not fitted."""
    for _ in range(5):
        model, cuts = deep(1)
        found = refitted(model, cuts, np.asarray(RNG.normal(size=(20, 5)), np.float32))
        x = np.asarray(RNG.normal(size=(500, 5)), np.float32)
        expected = outputs(model, x)
        with_it, without = (outputs(each, x) - expected for each in (found.model, sliced(model, cuts)))
        assert np.linalg.norm(with_it) <= 1.02 * np.linalg.norm(without)


def test_where_no_step_helps_the_layer_stays() -> None:
    model, _ = deep(1)
    x = np.tile(np.asarray(RNG.normal(size=(1, 5)), np.float32), (40, 1))
    every = {("h0", 1): np.arange(32)}
    found = refitted(model, every, x)
    assert not found.layers[0].refitted
    assert found.layers[0].reason == "no step makes the held-out error smaller"
    assert found.model.SerializeToString() == sliced(model, every).SerializeToString()


@pytest.mark.parametrize("kept_bytes", [0, 3000, 1 << 30])
def test_the_memory_for_activations_changes_nothing_but_the_time(kept_bytes: int) -> None:
    model, cuts = deep()
    x = np.asarray(np.random.default_rng(3).normal(size=(100, 5)), np.float32)
    found = refitted(model, cuts, x, kept_bytes=kept_bytes, batch_size=16)
    reference = refitted(model, cuts, x, batch_size=16)
    assert found.layers == reference.layers
    assert found.model.SerializeToString() == reference.model.SerializeToString()


def test_a_layer_over_the_bound_of_memory_is_left_and_named() -> None:
    model, cuts = deep()
    x = np.asarray(RNG.normal(size=(100, 5)), np.float32)
    found = refitted(model, cuts, x, gram_bytes=8 * 26 * 52)
    assert [layer.refitted for layer in found.layers] == [True] * 5 + [False]
    assert found.layers[-1].reason == "its sums take 12,064 bytes, over 10,816"


def test_few_of_many_positions_are_enough() -> None:
    model, x = convolutions(), images()
    found = refitted(model, without_copies(), x, least_rows=500, rows_a_column=1)
    assert 400 < found.layers[0].rows < 800
    close(found.model, model, images(5), 1e-3)


def test_the_same_refit_gives_the_same_bytes() -> None:
    model, x = convolutions(), images()
    one, other = (refitted(model, without_copies(), x, least_rows=500, rows_a_column=1) for _ in range(2))
    assert one.model.SerializeToString() == other.model.SerializeToString()
    assert one.layers == other.layers


@pytest.mark.parametrize(
    ("nodes", "constants", "reason"),
    [
        (
            [node("Conv", ["a", "w"], "b"), node("Conv", ["b", "w"], "y")],
            {"w": normal(4, 4, 1, 1)},
            "its weights are tied: other operators read them too",
        ),
        (
            [node("DequantizeLinear", ["q", "z"], "w"), node("Conv", ["a", "w"], "y")],
            {"q": np.ones((4, 4, 1, 1), np.int8), "z": np.array(0.5)},
            "its weights are made by DequantizeLinear",
        ),
        (
            [node("ConvTranspose", ["a", "w"], "y", output_shape=[8, 8])],
            {"w": normal(4, 4, 1, 1)},
            "its padding follows from its output_shape",
        ),
        (
            [node("DeformConv", ["a", "w", "o"], "y")],
            {"w": normal(4, 4, 1, 1), "o": np.zeros((8, 2, 8, 8), np.float32)},
            "DeformConv is not refitted",
        ),
    ],
    ids=["tied", "quantized", "other-form", "other-operator"],
)
def test_what_is_left_alone_says_why(
    nodes: list[NodeProto], constants: dict[str, Array], reason: str
) -> None:
    first = node("Conv", ["x", "w0"], "a")
    constants = {"w0": normal(4, 3, 1, 1), **constants}
    model = network([first, *nodes], constants, ["n", 3, 8, 8], ["n", 4, 8, 8])
    found = refitted(model, {("a", 1): np.arange(4)}, images(8))
    assert {layer.reason for layer in found.layers} == {reason}
    assert found.model.SerializeToString() == sliced(model, {}).SerializeToString()


def test_activations_that_are_not_finite_leave_the_layer_alone() -> None:
    model, x = convolutions(), images()
    x[::3] = 3e38
    found = refitted(model, without_copies(), x)
    assert found.layers[0].reason == "its activations are not finite"


def test_progress_is_told_of_every_layer() -> None:
    model, cuts = deep(2)
    graph = load(model)
    told: list[tuple[str, int, int]] = []
    x = np.asarray(RNG.normal(size=(20, 5)), np.float32)
    parts = parts_of(x, symbolic_inputs(graph))
    refit(graph, sliced(model, cuts), cuts, parts, progress=lambda *step: told.append(step))
    assert told == [("h1", 0, 2), ("y", 1, 2)]
