"""Memory and sample limits of a refit."""

from __future__ import annotations

from dataclasses import dataclass

from nnea_graph.engine.data import Data
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.runtime.perturb.staged_runs import KEPT_BYTES


@dataclass(frozen=True, slots=True)
class RefitOptions:
    """Bounds of memory and of work.

    A layer whose sums take more than ``gram_bytes`` is left alone; while one is solved, four times that is held.
    ``rows_a_column`` times as many rows as a layer has inputs are taken, at random, but ``least_rows`` at least,
    where there are so many. ``kept_bytes`` of activations are kept from one stage to the next, of each of the two
    networks; where that is too little, they are run from their inputs on each time.
    """

    batch_size: int = 32
    seed: int = 0
    gram_bytes: int = 1 << 29
    kept_bytes: int = KEPT_BYTES
    rows_a_column: int = 32
    least_rows: int = 16384
    threads: int = 0

    def rows_of(self, layer: RefittableLayer, data: Data) -> int:
        """Rows of a batch that are taken, at most."""
        wanted = max(self.rows_a_column * layer.form.columns, self.least_rows)
        batches = -(-(data.samples or self.batch_size) // self.batch_size)
        return -(-wanted // batches)
