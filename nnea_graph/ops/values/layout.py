"""Operators that move data without looking at it."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np

from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.value_guards import Array, axis_of, fitting, scalar, text, value, whole


@value("Identity")
def identity(call: OpCall) -> list[Array]:
    """The input."""
    return [call.value(0)]


@value("Transpose")
def transpose(call: OpCall) -> list[Array]:
    """Permute axes; without ``perm`` reverse them."""
    return [np.transpose(call.value(0), call.attr("perm"))]


@value("Reshape")
def reshape(call: OpCall) -> list[Array]:
    """Same elements, new shape: 0 copies a dim (unless ``allowzero``), one -1 takes what is left."""
    x = call.value(0)
    asked = whole(call, 1) if call.has(1) else [int(dim) for dim in call.attr("shape") or ()]
    if call.attr("allowzero", 0):
        return [x.reshape(asked)]
    return [x.reshape([x.shape[axis] if dim == 0 else dim for axis, dim in enumerate(asked)])]


@value("Flatten")
def flatten(call: OpCall) -> list[Array]:
    """Reshapes to a matrix, split before ``axis``."""
    x = call.value(0)
    axis = int(call.attr("axis", 1))
    if not -x.ndim <= axis <= x.ndim:
        raise BadCallError(f"axis {axis} is outside a tensor of {x.ndim} dimensions")
    cut = axis + x.ndim if axis < 0 else axis
    return [x.reshape(prod(x.shape[:cut]), prod(x.shape[cut:]))]


def _axes(call: OpCall) -> list[int] | None:
    """Axes from the second input, below opset 13 from the attribute."""
    if call.has(1):
        return whole(call, 1)
    listed = call.attr("axes")
    return None if listed is None else [int(axis) for axis in listed]


@value("Squeeze")
def squeeze(call: OpCall) -> list[Array]:
    """Drop dims of 1."""
    axes = _axes(call)
    return [np.squeeze(call.value(0), None if axes is None else tuple(axes))]


@value("Unsqueeze")
def unsqueeze(call: OpCall) -> list[Array]:
    """Insert dims of 1."""
    axes = _axes(call)
    if axes is None:
        raise BadCallError("Unsqueeze has no axes")
    x = call.value(0)
    fitting(call, (1,) * (x.ndim + len(axes)))
    return [np.expand_dims(x, tuple(axes))]


@value("Expand")
def expand(call: OpCall) -> list[Array]:
    """Broadcast to a shape and with it."""
    x = call.value(0)
    asked = fitting(call, whole(call, 1))
    return [np.broadcast_to(x, fitting(call, np.broadcast_shapes(x.shape, asked)))]


@value("Tile")
def tile(call: OpCall) -> list[Array]:
    """Repeat along each axis; opset 1 along one."""
    x = call.value(0)
    repeats = [1] * x.ndim
    if call.has(2):
        repeats[axis_of(scalar(call, 2), x.ndim)] = int(scalar(call, 1))
    else:
        repeats = whole(call, 1)
    if len(repeats) != x.ndim:
        raise BadCallError(f"Tile has {len(repeats)} repeats for {x.ndim} dimensions")
    fitting(call, [dim * times for dim, times in zip(x.shape, repeats, strict=True)])
    return [np.tile(x, repeats)]


@value("Concat")
def concat(call: OpCall) -> list[Array]:
    """Join along an axis (1 where opsets below 4 leave it out)."""
    arrays = [call.value(index) for index in range(len(call.inputs))]
    axis = axis_of(call.attr("axis", 1), arrays[0].ndim)
    fitting(call, (sum(array.shape[axis] for array in arrays), prod(_without(arrays[0].shape, axis))))
    return [np.concatenate(arrays, axis)]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


@value("Split")
def split(call: OpCall) -> list[Array]:
    """Cut along an axis, into the given sizes or into equal parts, the last one smaller where need be."""
    x = call.value(0)
    axis = axis_of(call.attr("axis", 0), x.ndim)
    sizes = _split_sizes(call, x.shape[axis])
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise BadCallError(f"Split into {sizes} does not cover a dim of {x.shape[axis]}")
    edges = [sum(sizes[:part]) for part in range(len(sizes) + 1)]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(start, stop))] for start, stop in pairwise(edges)]


def _split_sizes(call: OpCall, dim: int) -> list[int]:
    listed = whole(call, 1) if call.has(1) else [int(size) for size in call.attr("split") or ()]
    if listed:
        return listed
    parts = int(call.attr("num_outputs", 0) or len(call.outputs))
    if not 0 < parts <= max(dim, len(call.outputs)):
        raise BadCallError(f"Split of a dim of {dim} into {parts} parts")
    size = -(-dim // parts)
    return [max(min(size, dim - size * part), 0) for part in range(parts)]


@value("Slice")
def cut(call: OpCall) -> list[Array]:
    """Python's slices; below opset 10 the bounds are attributes."""
    x = call.value(0)
    starts, ends, axes, steps = _slice_bounds(call)
    axes = axes or list(range(len(starts)))
    steps = steps or [1] * len(starts)
    slices = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        slices[axis_of(axis, x.ndim)] = slice(start, end, step)
    return [x[tuple(slices)]]


def _slice_bounds(call: OpCall) -> list[list[int]]:
    if call.has(1):
        return [whole(call, index) if call.has(index) else [] for index in range(1, 5)]
    return [[int(number) for number in call.attr(name) or ()] for name in ("starts", "ends", "axes", "steps")]


@value("Pad")
def pad(call: OpCall) -> list[Array]:
    """Widen every axis; negative amounts crop."""
    x = call.value(0)
    amounts = _pad_amounts(call, x.ndim)
    widths = [(max(before, 0), max(after, 0)) for before, after in amounts]
    crops = [(min(before, 0), min(after, 0)) for before, after in amounts]
    if any(dim + a + b < 0 for dim, (a, b) in zip(x.shape, crops, strict=True)):
        raise BadCallError(f"Pad crops more than the shape {list(x.shape)} has")
    kept = x[tuple(slice(-a, dim + b) for dim, (a, b) in zip(x.shape, crops, strict=True))]
    fitting(call, [dim + a + b for dim, (a, b) in zip(kept.shape, widths, strict=True)])
    mode = text(call, "mode", "constant")
    if mode == "constant":
        return [np.pad(kept, widths, constant_values=_pad_value(call))]
    if mode not in ("reflect", "edge", "wrap"):
        raise BadCallError(f"Pad has no mode {mode!r}")
    return [np.pad(kept, widths, mode)]  # type: ignore[call-overload] # numpy's overloads want literals


def _pad_amounts(call: OpCall, rank: int) -> list[tuple[int, int]]:
    """Elements before and after each axis: an input from opset 11 on, an attribute below."""
    listed = (
        whole(call, 1) if call.has(1) else [int(n) for n in call.attr("pads") or call.attr("paddings") or ()]
    )
    axes = [axis_of(axis, rank) for axis in whole(call, 3)] if call.has(3) else list(range(rank))
    if len(listed) != 2 * len(axes):
        raise BadCallError(f"Pad has {len(listed)} amounts for {len(axes)} axes")
    amounts = [(0, 0)] * rank
    for axis, before, after in zip(axes, listed[: len(axes)], listed[len(axes) :], strict=True):
        amounts[axis] = (before, after)
    return amounts


def _pad_value(call: OpCall) -> float:
    return scalar(call, 2) if call.has(2) else call.attr("value", 0.0)  # type: ignore[no-any-return]


@value("Trilu")
def triangle(call: OpCall) -> list[Array]:
    """Upper or lower triangle of the last two axes; the rest is zero."""
    x = call.value(0)
    bound = max(x.shape[-2:])
    diagonal = min(max(int(scalar(call, 1)), -bound - 1), bound + 1) if call.has(1) else 0
    return [np.triu(x, diagonal) if call.attr("upper", 1) else np.tril(x, diagonal)]


@value("DepthToSpace")
def depth_to_space(call: OpCall) -> list[Array]:
    """Channels to pixels, block index first (DCR) or channel first (CRD)."""
    x, block = call.value(0), int(call.attr("blocksize", 0))
    n, c, h, w = x.shape
    if block < 1 or c % (block * block):
        raise BadCallError(f"DepthToSpace cannot cut {c} channels into blocks of {block}")
    depth = c // (block * block)
    if text(call, "mode", "DCR") == "DCR":
        moved = x.reshape(n, block, block, depth, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        moved = x.reshape(n, depth, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return [moved.reshape(n, depth, h * block, w * block)]


@value("SpaceToDepth")
def space_to_depth(call: OpCall) -> list[Array]:
    """Pixels to channels, block index first (DCR) or channel first (CRD)."""
    x, block = call.value(0), int(call.attr("blocksize", 0))
    n, c, h, w = x.shape
    if block < 1 or h % block or w % block:
        raise BadCallError(f"SpaceToDepth cannot cut {h} x {w} into blocks of {block}")
    cells = x.reshape(n, c, h // block, block, w // block, block)
    order = (0, 3, 5, 1, 2, 4) if text(call, "mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return [cells.transpose(order).reshape(n, c * block * block, h // block, w // block)]
