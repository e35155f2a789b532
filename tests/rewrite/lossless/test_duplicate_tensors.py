"""Tensors that are stored twice become one; what is tied stays so, and what others may read stays theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from oracles.prunable_oracle import distance, run

from nnea_graph.api.prune import prune
from nnea_graph.report.schema.lossless import ExactTensor

Tensors = dict[str, NDArray[Any]]
WORDS = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
INNER = np.random.default_rng(1).normal(size=(16, 16)).astype(np.float32)
TOKENS = {"x": np.random.default_rng(2).integers(0, 40, (2, 6))}


def language_model(
    tensors: Tensors, *, head: str = "Gemm", constants: bool = False, ir: int = 10
) -> ModelProto:
    """Tokens to vectors, two layers, vectors to words; weights are ``words``, ``inner``, ``more``, ``head``."""
    flags: dict[str, Any] = {"transB": 1} if head == "Gemm" else {}
    nodes = [
        helper.make_node("Gather", ["words", "x"], ["vectors"], name="embed"),
        helper.make_node("Reshape", ["vectors", "rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "inner"], ["in"], name="first"),
        helper.make_node("Tanh", ["in"], ["on"]),
        helper.make_node("MatMul", ["on", "more"], ["out"], name="second"),
        helper.make_node(
            head, ["out", "head" if "head" in tensors else "words"], ["y"], name="head", **flags
        ),
    ]
    stored = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    stored.append(numpy_helper.from_array(np.array([-1, 16]), "rows"))
    inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, [2, 6])]
    if constants:
        nodes[:0] = [helper.make_node("Constant", [], [each.name], value=each) for each in stored]
        stored = []
    if ir < 4:
        inputs += [helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in stored]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [12, 40])
    graph = helper.make_graph(nodes, "g", inputs, [y], initializer=stored)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 11 if ir < 4 else 17)], ir_version=ir
    )


def joined(model: ModelProto) -> tuple[ModelProto, list[ExactTensor]]:
    found = prune(model, None, "exact", rounds=2)
    assert found.report.met
    assert found.report.exact is not None
    onnx.checker.check_model(found.model, full_check=True)
    assert distance(run(found.model, TOKENS)[0], run(model, TOKENS)[0]) <= 1e-6
    return found.model, list(found.report.exact.tensors)


SECOND = {
    "identical": INNER,
    "transposed": np.ascontiguousarray(INNER.T),
    "scaled": INNER * np.float32(0.5),
}


@pytest.mark.parametrize("constants", [False, True], ids=["initializers", "constants"])
@pytest.mark.parametrize("ir", [3, 10])
@pytest.mark.parametrize("kind", SECOND)
def test_a_tensor_that_is_another_one_is_stored_once(kind: str, ir: int, *, constants: bool) -> None:
    model = language_model({"words": WORDS, "inner": INNER, "more": SECOND[kind]}, constants=constants, ir=ir)
    smaller, tensors = joined(model)
    (found,) = tensors
    assert {found.tensor, found.of} == {"inner", "more"}
    assert (found.kind, found.bytes, found.reason) == (kind, INNER.nbytes, "")
    assert model.ByteSize() - smaller.ByteSize() > INNER.nbytes - 350


def test_the_same_numbers_in_another_shape_are_stored_once() -> None:
    words, square = WORDS[:16], np.ascontiguousarray(WORDS[:16])
    tensors = {"words": words.reshape(16, 16), "inner": square, "more": INNER}
    model = language_model(tensors)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 16
    model.graph.initializer[1].dims[:] = [4, 64]
    model.graph.initializer.append(numpy_helper.from_array(np.array([16, 16]), "wide"))
    model.graph.node[2].input[1] = "squared"
    model.graph.node.insert(0, helper.make_node("Reshape", ["inner", "wide"], ["squared"]))
    feeds = {"x": TOKENS["x"] % 16}
    found = prune(model, {"x": feeds["x"]}, "exact", rounds=2)
    assert found.report.exact is not None
    assert [(each.kind, each.reason) for each in found.report.exact.tensors] == [("reshaped", "")]
    assert distance(run(found.model, feeds)[0], run(model, feeds)[0]) <= 1e-6


@pytest.mark.parametrize("head", ["Gemm", "MatMul"])
def test_a_head_that_repeats_the_embedding_reads_it(head: str) -> None:
    own = WORDS.copy() if head == "Gemm" else np.ascontiguousarray(WORDS.T)
    model = language_model(
        {"words": WORDS, "inner": INNER, "more": INNER[::-1].copy(), "head": own}, head=head
    )
    smaller, (found,) = joined(model)
    assert found.kind == ("identical" if head == "Gemm" else "transposed")
    assert len(smaller.graph.initializer) == len(model.graph.initializer) - 1


def test_a_tied_embedding_stays_tied() -> None:
    words = WORDS.copy()
    words[:, 3] = 0
    model = language_model({"words": words, "inner": INNER, "more": INNER[::-1].copy()})
    smaller, tensors = joined(model)
    assert tensors == []
    (head,) = [node for node in smaller.graph.node if node.name == "head"]
    (embed,) = [node for node in smaller.graph.node if node.name == "embed"]
    assert head.input[1] == embed.input[0] == "words"


def test_what_callers_may_set_and_small_vectors_stay() -> None:
    model = language_model({"words": WORDS, "inner": INNER, "more": INNER.copy()})
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [16, 16]))
    _, tensors = joined(model)
    assert [each.reason for each in tensors] == ["an input that callers may set"]
    model = language_model({"words": WORDS, "inner": INNER, "more": INNER[::-1].copy()})
    for name, at in (("b1", 3), ("b2", 6)):
        source = model.graph.node[at - 1].output[0]
        model.graph.node[at - 1].output[0] = f"{source}.plain"
        model.graph.node.insert(at, helper.make_node("Add", [f"{source}.plain", name], [source]))
        model.graph.initializer.append(numpy_helper.from_array(np.full(16, 0.5, np.float32), name))
    _, tensors = joined(model)
    assert [each.reason.partition(":")[0] for each in tensors] == ["one number a channel"]


def test_layers_alike_and_redundant_alike_become_one_and_smaller() -> None:
    """Channels first would leave both, tensors first would tie what a clone leaves its column to: both are tried."""
    rng = np.random.default_rng(4)
    inner = INNER.copy()
    inner[:, 5] = 0
    tensors = {
        "words": WORDS,
        "inner": inner,
        "more": inner.copy(),
        "head": rng.normal(size=(40, 16)).astype(np.float32),
    }
    smaller, found = joined(language_model(tensors))
    assert [each.reason for each in found] == [""]
    sizes = {each.name: tuple(each.dims) for each in smaller.graph.initializer}
    assert sum(shape in {(16, 16), (15, 16), (16, 15), (15, 15)} for shape in sizes.values()) == 1
