"""Small networks with something in them that can go, and their exact removal, proved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from oracles.prunable_oracle import distance, feeds_of, run

from nnea_graph.api.prune import prune
from nnea_graph.report.schema.lossless import ExactRemoval
from nnea_graph.rewrite.options import Pruned

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
