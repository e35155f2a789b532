"""Channels that are weighted sums: zero rows are constant, equal rows of equal inputs are equal."""

from __future__ import annotations

import numpy as np

from nnea_graph.channels.graph import Places
from nnea_graph.channels.known.linear import Linear
from nnea_graph.channels.known.scene import Scene
from nnea_graph.channels.known.values import EPSILON, MOST, Floats, Values, labels
from nnea_graph.graph import OpNode
from nnea_graph.stats.rows import same_rows

_HALF_EPSILON = 1e-2
"""The same of float16."""


def weighted(scene: Scene, node: OpNode, name: str) -> Values | None:
    """Bounds by those of the inputs; a row of zeros gives its bias everywhere."""
    mine = scene.linears.get(node.id)
    if mine is None or mine.target != name:
        return None
    zero = ~mine.facts.nonzero
    low, high = _sum_bounds(scene, mine)
    bias = mine.bias
    if bias is None:
        return Values(np.arange(zero.size), low, high, np.zeros(zero.size, np.bool_))
    low, high = np.where(zero, bias, low), np.where(zero, bias, high)
    return Values(_equal_rows(scene, mine, bias), low, high, zero)


def _equal_rows(scene: Scene, mine: Linear, bias: Floats) -> Places:
    """Rows with the same weights and bias that meet equal inputs."""
    before = scene.values[mine.source].label.reshape(mine.groups, -1)
    group = labels(*before.T) if mine.groups > 1 else np.zeros(1, np.int64)
    owner = np.repeat(group, mine.grid.rows // mine.groups)
    alike = labels(mine.facts.mark.astype(np.int64), bias.view(np.int64), owner)
    _, first, inverse = np.unique(alike, return_index=True, return_inverse=True)
    twin = first[inverse]
    mine_rows = np.flatnonzero(twin != np.arange(twin.size))
    sure = same_rows(mine.grid, mine_rows, twin[mine_rows])
    result = twin.copy()
    result[mine_rows[~sure]] = mine_rows[~sure]
    return result


def _sum_bounds(scene: Scene, mine: Linear) -> tuple[Floats, Floats]:
    """Of a sum with some of the taps missing, as at a padded edge."""
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
