"""Sums, products, extremes and running totals along axes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.value_guards import Array, axis_of, narrowed, scalar, value, whole

Axes = tuple[int, ...]
Reduction = Callable[[Array, Axes], Array]


def _sum(x: Array, axes: Axes) -> Array:
    return np.asarray(np.sum(x, axes, x.dtype, keepdims=True))


def _mean(x: Array, axes: Axes) -> Array:
    """Integers truncate."""
    count = prod(x.shape[axis] for axis in axes)
    if x.dtype.kind in "iu":
        if not count:
            raise UnknownFactError("integers have no mean over no elements")
        exact = np.sum(x, axes, np.float64, keepdims=True) / count
        return np.asarray(np.trunc(exact), x.dtype)
    return np.asarray(np.sum(x, axes, x.dtype, keepdims=True) / x.dtype.type(count))


def _lowest(x: Array) -> float | int | bool:
    if x.dtype.kind == "f":
        return -np.inf
    return False if x.dtype.kind == "b" else int(np.iinfo(x.dtype).min)


def _highest(x: Array) -> float | int | bool:
    if x.dtype.kind == "f":
        return np.inf
    return True if x.dtype.kind == "b" else int(np.iinfo(x.dtype).max)


def _log_sum_exp(x: Array, axes: Axes) -> Array:
    wide = x.astype(np.float64)
    peak = np.max(wide, axes, keepdims=True, initial=-np.inf)
    peak = np.where(np.isfinite(peak), peak, 0)
    return np.asarray(np.log(np.sum(np.exp(wide - peak), axes, keepdims=True)) + peak, x.dtype)


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceProd": lambda x, axes: np.prod(x, axes, x.dtype, keepdims=True),
    "ReduceMax": lambda x, axes: np.max(x, axes, keepdims=True, initial=_lowest(x)),
    "ReduceMin": lambda x, axes: np.min(x, axes, keepdims=True, initial=_highest(x)),
    "ReduceL1": lambda x, axes: _sum(np.abs(x), axes),
    "ReduceL2": lambda x, axes: np.sqrt(_sum(np.square(x), axes)).astype(x.dtype),
    "ReduceSumSquare": lambda x, axes: _sum(np.square(x), axes),
    "ReduceLogSum": lambda x, axes: np.log(_sum(x, axes)).astype(x.dtype),
    "ReduceLogSumExp": _log_sum_exp,
}


def _declare(op_type: str, reduction: Reduction) -> None:
    @value(op_type)
    def rule(call: OpCall) -> list[Array]:
        x = call.value(0)
        axes = reduced_axes(call, x.ndim)
        if axes is None:
            return [x]
        kept = np.asarray(reduction(x, axes))
        result = kept if call.attr("keepdims", 1) else kept.squeeze(axes)
        return [narrowed(result, call.dtype(0))]


for _name, _reduction in REDUCTIONS.items():
    _declare(_name, _reduction)


def reduced_axes(call: OpCall, rank: int) -> Axes | None:
    """Axes of a reduction, from the input or the attribute; None where it does nothing."""
    listed = whole(call, 1) if call.has(1) else [int(axis) for axis in call.attr("axes") or ()]
    if not listed and call.attr("noop_with_empty_axes", 0):
        return None
    return tuple(sorted({axis_of(axis, rank) for axis in listed})) or tuple(range(rank))


def _extreme_index(call: OpCall, pick: Callable[[Array, int], Array]) -> list[Array]:
    x = call.value(0)
    axis = axis_of(call.attr("axis", 0), x.ndim)
    is_last = bool(call.attr("select_last_index", 0))
    found = pick(np.flip(x, axis) if is_last else x, axis)
    result = np.asarray(x.shape[axis] - 1 - found if is_last else found, np.int64)
    return [np.expand_dims(result, axis) if call.attr("keepdims", 1) else result]


@value("ArgMax")
def arg_max(call: OpCall) -> list[Array]:
    """Finds where the largest element is."""
    return _extreme_index(call, np.argmax)


@value("ArgMin")
def arg_min(call: OpCall) -> list[Array]:
    """Finds where the smallest element is."""
    return _extreme_index(call, np.argmin)


def _running(call: OpCall, accumulate: Callable[[Array, int], Array], start: int) -> list[Array]:
    x = call.value(0)
    axis = axis_of(scalar(call, 1), x.ndim)
    ordered = np.flip(x, axis) if call.attr("reverse", 0) else x
    if call.attr("exclusive", 0):
        first = np.full_like(
            np.take(ordered, [], axis), start, shape=(*x.shape[:axis], 1, *x.shape[axis + 1 :])
        )
        ordered = np.concatenate([first, ordered], axis).take(range(x.shape[axis]), axis)
    result = accumulate(ordered, axis)
    return [narrowed(np.flip(result, axis) if call.attr("reverse", 0) else result, call.dtype(0))]


@value("CumSum")
def cumulative_sum(call: OpCall) -> list[Array]:
    """Running sums."""
    return _running(call, lambda x, axis: np.cumsum(x, axis, x.dtype), 0)


@value("CumProd")
def cumulative_product(call: OpCall) -> list[Array]:
    """Running products."""
    return _running(call, lambda x, axis: np.cumprod(x, axis, x.dtype), 1)
