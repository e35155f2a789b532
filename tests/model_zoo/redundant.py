"""Networks with redundant channels planted in them, by what is known of their groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper
from oracles.prunable_facts import coupled

from nnea_graph.rewrite.coupling.groups import Coupling

Arrays = dict[str, NDArray[Any]]

KINDS = ("cloned", "multiple", "dead", "constant", "unread")


def planted(
    model: ModelProto, seed: int, share: float = 0.3, dims: Mapping[str, int] | None = None
) -> ModelProto:
    """In every family a share of the groups repeats another one, makes nothing or one number, or is not read.

    Whether it is redundant in the end depends on what stands between: 0 behind a sigmoid is another number.
    """
    random = np.random.default_rng(seed)
    _, coupling = coupled(model, **(dims or {}))
    stored = {each.name: each for each in model.graph.initializer}
    arrays = {name: numpy_helper.to_array(each).copy() for name, each in stored.items()}
    columns = _columns(model, arrays)
    for family in coupling.families:
        count = round(share * len(family.groups))
        for place in random.choice(len(family.groups), count, replace=False).tolist():
            kind = KINDS[int(random.integers(len(KINDS)))]
            pair = family.groups[place], family.groups[int(random.integers(len(family.groups)))]
            _plant(coupling, pair, kind, arrays, columns)
    made = ModelProto()
    made.CopyFrom(model)
    for each in made.graph.initializer:
        each.CopyFrom(numpy_helper.from_array(arrays[each.name], each.name))
    return made


def _columns(model: ModelProto, arrays: Arrays) -> dict[str, int]:
    """By weight, the axis of what it reads."""
    found = {}
    for node in model.graph.node:
        if node.op_type in {"Conv", "Gemm", "MatMul"} and node.input[1] in arrays:
            found[node.input[1]] = _column_axis(node, arrays[node.input[1]])
    return found


def _column_axis(node: NodeProto, weight: NDArray[Any]) -> int:
    turned = any(each.name == "transB" and each.i for each in node.attribute)
    if node.op_type == "Conv":
        return 1
    return 1 if turned else weight.ndim - 2


def _plant(
    coupling: Coupling, pair: tuple[int, int], kind: str, arrays: Arrays, columns: dict[str, int]
) -> None:
    mine, theirs = (coupling.members(group) for group in pair)
    for (tensor, axis), indices in mine.items():
        array, slots = arrays.get(tensor), coupling.slots.of((tensor, axis))
        if array is None or slots is None or array.dtype.kind != "f" or (tensor, axis) not in theirs:
            continue
        rows = np.moveaxis(array, axis, 0)
        if len(slots) != len(rows):
            continue  # the channels of one group of a convolution are told group after group
        if columns.get(tensor) == axis:
            rows[indices] *= kind != "unread"
        elif kind in {"cloned", "multiple"}:
            rows[indices] = rows[theirs[tensor, axis]] * np.float32(2.5 if kind == "multiple" else 1)
        elif kind == "dead":
            positive = (rows > 0).all()  # scales and variances
            rows[indices] = 0 if tensor in columns else rows[indices] if positive else -np.abs(rows[indices])
        elif kind == "constant" and tensor in columns:
            rows[indices] = 0
