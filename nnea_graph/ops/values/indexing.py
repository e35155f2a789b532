"""Operators that pick, place, sort and count elements by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_guards import Array, axis_of, fitting, scalar, text, value

Updating = Callable[[Array, Any, Array], None]


def _assign(target: Array, where: Any, updates: Array) -> None:
    target[where] = updates


UPDATES: dict[str, Updating] = {
    "none": _assign,
    "add": np.add.at,
    "mul": np.multiply.at,
    "max": np.maximum.at,
    "min": np.minimum.at,
}


def _updating(call: OpCall) -> Updating:
    name = text(call, "reduction", "none")
    if name not in UPDATES:
        raise BadCallError(f"{call.op_type} has no reduction {name!r}")
    return UPDATES[name]


def in_range(indices: Array, dim: int) -> Array:
    """Indices counted from the front; those outside are an error of the model at run time."""
    if not ((indices >= -dim) & (indices < dim)).all():
        raise UnknownFactError(f"a constant index is outside a dim of {dim}")
    return np.asarray(np.where(indices < 0, indices + dim, indices), np.int64)


@value("Gather")
def gather(call: OpCall) -> list[Array]:
    """Slices along an axis."""
    x, indices = call.value(0), call.value(1)
    axis = axis_of(call.attr("axis", 0), x.ndim)
    fitting(call, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    return [np.take(x, in_range(indices, x.shape[axis]), axis)]


@value("GatherElements")
def gather_elements(call: OpCall) -> list[Array]:
    """One element an index, along an axis."""
    x, indices = call.value(0), call.value(1)
    return [x[_along(indices, x, axis_of(call.attr("axis", 0), x.ndim))]]


def _along(indices: Array, x: Array, axis: int) -> tuple[Array, ...]:
    """Every position of ``indices``, with the index itself in place of its axis."""
    if indices.ndim != x.ndim:
        raise BadCallError(f"indices of {indices.ndim} dimensions for data of {x.ndim}")
    grid: list[Array] = list(np.indices(indices.shape, sparse=True))
    grid[axis] = in_range(indices, x.shape[axis])
    return tuple(grid)


@value("GatherND")
def gather_nd(call: OpCall) -> list[Array]:
    """Slices at index tuples, batch by batch."""
    x, indices = call.value(0), call.value(1)
    batch = int(call.attr("batch_dims", 0))
    depth = indices.shape[-1]
    if batch < 0 or batch + depth > x.ndim:
        raise BadCallError(f"GatherND reads {batch} + {depth} axes of a tensor of {x.ndim} dimensions")
    fitting(call, (*indices.shape[:-1], *x.shape[batch + depth :]))
    lead: tuple[Array, ...] = np.indices(indices.shape[:batch], sparse=True)
    grown = [axis.reshape(axis.shape + (1,) * (indices.ndim - 1 - batch)) for axis in lead]
    columns = [in_range(indices[..., level], x.shape[batch + level]) for level in range(depth)]
    return [x[(*grown, *columns)]]


@value("ScatterElements", "Scatter")
def scatter_elements(call: OpCall) -> list[Array]:
    """A copy with elements put at an index along an axis."""
    x, indices, updates = (call.value(index) for index in range(3))
    result = np.array(x)
    _updating(call)(result, _along(indices, x, axis_of(call.attr("axis", 0), x.ndim)), updates)
    return [result]


@value("ScatterND")
def scatter_nd(call: OpCall) -> list[Array]:
    """A copy with slices put at index tuples."""
    x, indices, updates = (call.value(index) for index in range(3))
    depth = indices.shape[-1]
    if depth > x.ndim:
        raise BadCallError(f"ScatterND writes {depth} axes of a tensor of {x.ndim} dimensions")
    where = tuple(in_range(indices[..., level], x.shape[level]) for level in range(depth))
    result = np.array(x)
    _updating(call)(result, where, updates)
    return [result]


@value("NonZero")
def non_zero(call: OpCall) -> list[Array]:
    """Coordinates, one column an element; a scalar counts as a vector of one."""
    x = call.value(0)
    found = np.nonzero(np.atleast_1d(x))
    return [np.asarray(found[: x.ndim], np.int64).reshape(x.ndim, found[0].size)]


@value("Compress")
def compress(call: OpCall) -> list[Array]:
    """The slices whose condition holds; without an axis, elements."""
    axis = call.attr("axis")
    x = call.value(0)
    return [np.compress(call.value(1), x, None if axis is None else axis_of(axis, x.ndim))]


@value("Unique")
def unique(call: OpCall) -> list[Array]:
    """Distinct elements or slices, their first places, where each input went, and how many."""
    axis = call.attr("axis")
    x = call.value(0)
    along = None if axis is None else axis_of(axis, x.ndim)
    found, first, inverse, counts = np.unique(x, True, True, True, along)
    order = np.arange(first.size) if call.attr("sorted", 1) else np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    ordered = np.take(found, order, 0 if along is None else along)
    columns = (first[order], rank[inverse.reshape(-1)], counts[order])
    return [ordered, *(column.astype(np.int64) for column in columns)]


@value("TopK")
def top_k(call: OpCall) -> list[Array]:
    """The k largest or smallest along an axis and their places; of equal ones the first."""
    x = call.value(0)
    axis = axis_of(call.attr("axis", -1), x.ndim)
    k = int(scalar(call, 1) if call.has(1) else call.attr("k", -1))
    if not 0 <= k <= x.shape[axis]:
        raise BadCallError(f"TopK of {k} from a dim of {x.shape[axis]}")
    if call.attr("largest", 1):
        backward = np.argsort(np.flip(x, axis), axis, kind="stable")
        order = np.flip(x.shape[axis] - 1 - backward, axis)
    else:
        order = np.argsort(x, axis, kind="stable")
    places = order.take(range(k), axis)
    return [np.take_along_axis(x, places, axis), places.astype(np.int64)]
