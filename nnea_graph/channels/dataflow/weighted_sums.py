"""Channels that are weighted sums: zero rows are constant, rows that are multiples of each other give multiples."""

from __future__ import annotations

import numpy as np

from nnea_graph.channels.dataflow.context import DataflowContext
from nnea_graph.channels.dataflow.lattice import EPSILON, MOST, Bools, ChannelValues, Floats, labels
from nnea_graph.channels.dataflow.linear_layers import Linear
from nnea_graph.channels.dataflow.proportional_rows import SLACK, first_multiples
from nnea_graph.channels.graph import Places
from nnea_graph.graph import OpNode
from nnea_graph.stats.row_facts import multiple_rows

_HALF_EPSILON = 1e-2
"""The same of float16."""
_SLACK = {32: SLACK, 64: 2.0**-51}
"""Of each weight, by its bits: what rounding leaves of a multiple. Half precision leaves too little to tell."""


def weighted(scene: DataflowContext, node: OpNode, name: str) -> ChannelValues | None:
    """Bounds by those of the inputs; a row of zeros gives its bias everywhere."""
    mine = scene.linears.get(node.id)
    if mine is None or mine.target != name:
        return None
    zero = ~mine.facts.nonzero | _silent(mine, scene.values[mine.source])
    low, high = _sum_bounds(scene, mine)
    bias = mine.bias
    if bias is None:
        ones, none = np.ones(zero.size), np.zeros(zero.size, np.bool_)
        return ChannelValues(np.arange(zero.size), ones, low, high, none)
    low, high = np.where(zero, bias, low), np.where(zero, bias, high)
    return ChannelValues(*_alike(scene, mine, bias), low, high, zero)


def _silent(mine: Linear, source: ChannelValues) -> Bools:
    """Rows that meet nothing but channels that are always 0."""
    rows = mine.grid.rows
    heard = ~(source.known & (source.low == 0)).reshape(mine.groups, -1)
    if heard.all():
        return np.zeros(rows, np.bool_)
    met = np.zeros(rows, np.bool_)
    for at, between, block in mine.grid.blocks():
        owner = np.arange(rows)[at] * mine.groups // rows
        counts = np.where(heard[owner][:, between, None], block != 0, ~np.isfinite(block))
        met[at] |= counts.any((1, 2))
    return ~met


def _alike(scene: DataflowContext, mine: Linear, bias: Floats) -> tuple[Places, Floats]:
    """Labels and factors: rows and biases in one proportion that meet inputs in one proportion."""
    met, gain = _inputs(scene, mine)
    peak = gain * mine.facts.peak
    peak = np.where(np.abs(bias) > np.abs(peak), bias, peak)
    factor = np.where((peak == 0) | ~np.isfinite(peak), 1.0, peak)
    with np.errstate(invalid="ignore", over="ignore"):
        form = (gain * mine.facts.sketch + bias) / factor
    slack = _SLACK.get(mine.grid.constant.dtype.bits, 0.0)

    def same(rows: Places, others: Places) -> Bools:
        times = factor[rows] / factor[others]
        near = np.abs(bias[rows] - times * bias[others]) <= slack * np.abs(bias[rows])
        return near & multiple_rows(mine.grid, rows, others, times * gain[others] / gain[rows], slack)

    width = 1 + mine.grid.constant.size // mine.grid.rows
    return first_multiples(met, form, max(slack, 1e-12) * np.sqrt(width), same), factor


def _inputs(scene: DataflowContext, mine: Linear) -> tuple[Places, Floats]:
    """Number for each row for the inputs that it meets, and what these are multiplied with.

    A row of zeros meets none.
    """
    source, per_group = scene.values[mine.source], mine.grid.rows // mine.groups
    gain = np.ones(mine.groups)
    met = np.zeros(mine.groups, np.int64)
    if mine.groups > 1 and mine.grid.inputs == 1:
        met, gain = source.label, source.factor
    elif mine.groups > 1:
        met = labels(*source.equal.reshape(mine.groups, -1).T)
    met, gain = np.repeat(met, per_group), np.repeat(gain, per_group)
    return np.where(mine.facts.nonzero, met, -1), np.where(mine.facts.nonzero, gain, 1.0)


def _sum_bounds(scene: DataflowContext, mine: Linear) -> tuple[Floats, Floats]:
    """Bounds of a sum with some of the taps missing, as at a padded edge."""
    rows = mine.grid.rows
    nothing = np.full(rows, -np.inf), np.full(rows, np.inf)
    source = scene.values[mine.source]
    low, high = np.minimum(source.low, 0), np.maximum(source.high, 0)
    plain = all(float(mine.node.attributes.get(name, 1.0)) == 1.0 for name in ("alpha", "beta"))
    if mine.bias is None or not plain or not (np.isfinite(low) | np.isfinite(high)).any():
        return nothing
    size = np.abs(mine.bias)
    if not low.any() and np.isinf(high).all():
        wide = _margin(mine) * size
        least = np.where(mine.facts.negative, -np.inf, mine.bias - wide)
        return least, np.where(mine.facts.positive, np.inf, mine.bias + wide)
    if mine.grid.constant.size > MOST:
        return nothing
    least, most = mine.bias - _margin(mine) * size, mine.bias + _margin(mine) * size
    low, high = low.reshape(mine.groups, -1), high.reshape(mine.groups, -1)
    # What is added to a bound is as uncertain as it is large; terms of the other sign only lead away from it.
    wider = 1 + _margin(mine)
    for at, between, block in mine.grid.blocks():
        owner = np.arange(rows)[at] * mine.groups // rows
        up, down = (np.maximum(sign * block, 0).sum(2, dtype=np.float64) for sign in (1, -1))
        ceiling, depth = high[owner][:, between], -low[owner][:, between]
        most[at] += wider * (_dot(up, ceiling) + _dot(down, depth))
        least[at] -= wider * (_dot(up, depth) + _dot(down, ceiling))
    return np.where(np.isnan(least), -np.inf, least), np.where(np.isnan(most), np.inf, most)


def _dot(weights: Floats, bounds: Floats) -> Floats:
    """Row by row; 0 times infinity is 0."""
    return np.asarray(np.multiply(weights, bounds, out=np.zeros_like(weights), where=weights != 0).sum(1))


def _margin(mine: Linear) -> float:
    return EPSILON if mine.grid.constant.dtype.bits >= 32 else _HALF_EPSILON
