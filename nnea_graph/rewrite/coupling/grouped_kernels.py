"""Kernels of grouped convolutions: the index of a channel within its group is another channel in every group.

Groups may lose different channels, if only each loses as many: what stays along such an axis is then a list for each
group, ``[groups, channels]``, in place of one list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import PassError
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.index_space import Axis, Indices

KERNELS = {
    ("", "Conv"): 1,
    ("", "ConvInteger"): 1,
    ("", "ConvTranspose"): 1,
    ("", "QLinearConv"): 3,
    (MICROSOFT, "FusedConv"): 1,
}
"""The input of each convolution that is its kernel."""
WITHIN = 1
"""The axis of a kernel along which the channels of one group lie."""


def grouped_kernels(graph: ModelGraph) -> Mapping[Axis, int]:
    """Number of groups of each stored kernel that nothing else reads in another way, by the axis within a group."""
    found: dict[str, set[int]] = {}
    for node in graph:
        for place, name in enumerate(node.inputs):
            if name in graph.constants:
                found.setdefault(name, set()).add(_groups(node, place))
    ends = set(graph.outputs)
    return {
        (name, WITHIN): groups.pop()
        for name, groups in found.items()
        if len(groups) == 1 and max(groups) > 1 and name not in ends
    }


def _groups(node: OpNode, place: int) -> int:
    """1 also where it is no kernel."""
    kernel = KERNELS.get((node.domain, node.op_type)) == place and not node.body
    return int(node.attributes.get("group", 1)) if kernel else 1


def listed(stays: NDArray[np.bool_], repeats: int) -> Indices | None:
    """Indices that stay along an axis, of a flag for each of its slots: one list, or one for each group if they differ.

    Groups that go altogether go with other axes of the kernel; None if that is all.

    >>> listed(np.array([True, False, True, True]), 1).tolist()
    [0, 2, 3]
    >>> listed(np.array([True, False, False, True]), 2).tolist()
    [[0], [1]]
    """
    rows = stays.reshape(repeats, -1)
    left = rows[rows.any(1)]
    if repeats > 1 and left.all():
        return None
    if (left == left[:1]).all():
        return np.flatnonzero(left[:1])
    if len(left) < repeats or len(set(rows.sum(1).tolist())) > 1:
        raise PassError("groups of a convolution lose different numbers of channels")
    return np.nonzero(rows)[1].reshape(repeats, -1)


def taken(values: NDArray[Any], stay: Indices, axis: int) -> NDArray[Any]:
    """Only what stays along an axis.

    >>> taken(np.arange(8).reshape(4, 2), np.array([[0], [1]]), 1).tolist()
    [[0], [2], [5], [7]]
    """
    if stay.ndim == 1:
        return np.take(values, stay, axis)
    grouped = values.reshape(len(stay), -1, *values.shape[1:])
    places = stay.reshape(len(stay), 1, -1, *(1,) * (values.ndim - 2))
    return np.take_along_axis(grouped, places, axis + 1).reshape(len(values), -1, *values.shape[2:])
