"""Parallel rows: against all pairs in float64."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.stats.near_parallel_rows import parallel_rows


@pytest.mark.parametrize(("rows", "columns"), [(40, 5), (700, 64), (1300, 300), (600, 2000)])
def test_parallel_rows_are_those_of_all_pairs(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    matrix = rng.normal(size=(rows, columns)).astype(np.float32)
    for place in range(3, rows, 7):  # some nearer than the threshold, some not, some turned round
        matrix[place] = rng.choice([-2, 1, 5]) * matrix[rng.integers(place)]
        matrix[place] += (
            rng.choice([0, 0.02, 0.1, 0.3]) * rng.normal(size=columns) * np.abs(matrix[place]).mean()
        )
    matrix[11] = 0
    wide = matrix.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    cosines = np.abs(wide @ wide.T) / np.maximum(np.outer(norms, norms), 1e-30)
    best = np.tril(cosines, -1).max(1)
    found = parallel_rows(matrix)
    sure = np.abs(best - 0.99) > 1e-5
    assert np.count_nonzero(best > 0.99) > 10 or rows < 100
    np.testing.assert_array_equal((found.twin >= 0)[sure], (best >= 0.99)[sure])
    places = np.flatnonzero(found.twin >= 0)
    assert (found.twin[places] < places).all()
    np.testing.assert_allclose(np.abs(found.cosine[places]), cosines[places, found.twin[places]], atol=1e-5)


def test_rows_that_are_no_numbers_are_parallel_to_none() -> None:
    matrix = np.array([[1, 2], [np.nan, 2], [np.inf, 1], [0, 0], [2, 4]], np.float32)
    assert parallel_rows(matrix).twin.tolist() == [-1, -1, -1, -1, 0]
