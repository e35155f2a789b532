"""Inputs that layers are given, as sums: one run of the model on the data to fit on, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine.data import Data
from nnea_graph.graph import ModelGraph
from nnea_graph.rewrite.refit.gram import Floats, Gram
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.rewrite.refit.least_squares_form import Indices
from nnea_graph.rewrite.refit.options import RefitOptions
from nnea_graph.runtime.perturb.staged_runs import Stages
from nnea_graph.runtime.session.session import Settings

BLOCK_BYTES = 32 << 20
"""Rows that are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class GramStatistics:
    """Statistics of what a layer reads: sums of products (with no outputs), and sums of |x| ``[groups, columns]``."""

    gram: Gram
    sum_abs: Floats

    @classmethod
    def nothing(cls, layer: RefittableLayer) -> GramStatistics:
        """Statistics before any row."""
        form = layer.form
        return cls(Gram(form.groups, form.columns, 0), np.zeros((form.groups, form.columns)))

    def add(self, rows: Floats) -> None:
        """Rows ``[groups, rows, columns]``."""
        self.gram.add(rows, np.zeros((*rows.shape[:2], 0)))
        np.add(self.sum_abs, np.abs(rows).sum(1), out=self.sum_abs)


def seen_bytes(layer: RefittableLayer) -> int:
    """Bytes that the sums of a layer take."""
    return 8 * layer.form.groups * layer.form.columns**2


def input_sums(
    graph: ModelGraph, layers: Sequence[RefittableLayer], data: Data, options: RefitOptions
) -> Mapping[RefittableLayer, GramStatistics]:
    """Sums over the rows that each layer reads, drawn as for a refit.

    Raises:
        RunError: the model cannot be run.
        DataError: the data cannot be read.
    """
    names = list(dict.fromkeys(layer.x for layer in layers))
    sums = {layer: GramStatistics.nothing(layer) for layer in layers}
    draws = {layer: np.random.default_rng([options.seed, crc32(layer.node.id.encode())]) for layer in layers}

    def feeds() -> Iterator[Mapping[str, NDArray[Any]]]:
        return (batch.feeds for batch in data.batches(options.batch_size))

    for arrays in Stages(graph, feeds, 0, Settings(options.threads)).run(names, (), {}):
        found = dict(zip(names, arrays, strict=True))
        for layer, seen in sums.items():
            x = found[layer.x]
            count, most = layer.form.count(x), options.rows_of(layer, data)
            chosen = (
                np.arange(count)
                if count <= most
                else np.sort(draws[layer].choice(count, most, replace=False))
            )
            _add(seen, layer, x, chosen)
    return sums


def _add(seen: GramStatistics, layer: RefittableLayer, x: NDArray[Any], chosen: Indices) -> None:
    size = max(1, BLOCK_BYTES // (8 * layer.form.groups * layer.form.columns))
    for start in range(0, len(chosen), size):
        seen.add(layer.form.rows(x, chosen[start : start + size]))
