"""Statistics from the reduced tensors of one run to statistics of channels."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.runtime.observe.observations import ChannelStats, Counts, Floats

Reduced = Mapping[str, NDArray[Any]]
"""``abs`` and the rest, as ``reducers.add_reductions`` names them."""


def main_stats(
    values: Reduced, channels: int | None, shape: tuple[int, ...], *, means: bool
) -> ChannelStats | None:
    """Statistics of a tensor of that shape whose reduced ones are [samples, channels] or [channels].

    ``channels`` is None where the last axis tells; ``means`` says that they are means over positions.
    None if the tensor is empty.
    """
    if 0 in shape:
        return None
    width = channels or values["abs"].reshape(-1).size // max(prod(values["abs"].shape[:-1]), 1)
    rows = {piece: array.astype(np.float64).reshape(-1, width) for piece, array in values.items()}
    positions = prod(shape) // rows["abs"].size
    if means:
        rows = {piece: row if piece == "max" else row * positions for piece, row in rows.items()}
    finite = np.isfinite(rows["abs"])
    kept = {piece: np.where(finite, row, 0) for piece, row in rows.items()}
    totals = {piece: row.max(0) if piece == "max" else row.sum(0) for piece, row in kept.items()}
    count = finite.sum(0, np.int64) * positions
    return _stats(totals, count, len(finite) * positions - count)


def body_stats(values: Reduced) -> ChannelStats | None:
    """Statistics from totals [channels] or [] over all trips and their ``size``; None if no trip was run."""
    size = int(values["size"])
    if not size:
        return None
    totals = {
        piece: np.atleast_1d(array) for piece, array in values.items() if piece not in {"size", "shape"}
    }
    finite = np.isfinite(totals["abs"])
    each = size // finite.size
    kept = {piece: np.where(finite, total, 0) for piece, total in totals.items()}
    count = finite.astype(np.int64) * each
    return _stats(kept, count, each - count)


def _stats(totals: Mapping[str, Floats], count: Counts, dropped: Counts) -> ChannelStats:
    stats = ChannelStats(count, dropped, totals["abs"])
    if "sq" not in totals:
        return stats
    stats.sum = totals.get("sum", totals["abs"])
    stats.sum_sq = totals["sq"]
    stats.max_abs = np.maximum(totals["max"], 0)
    stats.zeros = count - np.rint(totals["nonzero"]).astype(np.int64)
    return stats


def row_counts(indices: NDArray[Any], rows: int) -> Counts:
    """Number of times that each of the rows is meant; negative indices count from the end."""
    flat = indices.reshape(-1).astype(np.int64)
    flat = np.where(flat < 0, flat + rows, flat)
    counts: Counts = np.bincount(flat[(flat >= 0) & (flat < rows)], minlength=rows).astype(np.int64)
    return counts
