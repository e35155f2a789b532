"""Determines which rows of numbers are multiples of each other, to within rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnea_graph.channels.dataflow.lattice import Bools, Floats, labels
from nnea_graph.channels.graph import Places

SLACK = 2.0**-22
"""Of each number: what the rounding of float32 leaves of a multiple."""
_ROUNDS = 4
"""How many rows with the same form may be no multiples of each other before the search for twins among them ends."""


def first_multiples(
    key: Places, form: Floats, slack: float, same: Callable[[Places, Places], Bools]
) -> Places:
    """First row for each row that it is a multiple of, itself where there is none.

    Only rows with the same ``key`` and a ``form`` (a number that multiples share) closer than ``slack`` are compared;
    ``same(rows, others)`` says which pairs are multiples.
    """
    run = _runs(key, form, slack)
    twin = np.arange(key.size)
    left = np.flatnonzero((np.bincount(run, minlength=1) > 1)[run])
    for _ in range(_ROUNDS):
        if not left.size:
            break
        _, first, inverse = np.unique(run[left], return_index=True, return_inverse=True)
        owner = left[first][inverse.reshape(-1)]
        others = owner != left
        rows, owner = left[others], owner[others]
        sure = same(rows, owner)
        twin[rows[sure]] = owner[sure]
        left = rows[~sure]
    return twin


def _runs(key: Places, form: Floats, slack: float) -> Places:
    """A number for each run of rows of one key whose forms follow each other closely."""
    order = np.lexsort((form, key))
    close = np.abs(np.diff(form[order])) <= slack
    starts = (
        np.concatenate([[True], ~(close & (np.diff(key[order]) == 0))]) if key.size else np.zeros(0, bool)
    )
    run = np.empty(key.size, np.int64)
    run[order] = np.cumsum(starts) - 1
    return run


def proportional(key: Places, rows: Floats) -> tuple[Places, Floats]:
    """A label and a factor for each short row: those of one key with the same label are in the proportion of these.

    >>> proportional(np.array([0, 0, 0, 1]), np.array([[1.0, 2], [2, 1], [-3, -6], [1, 2]]))
    (array([0, 1, 0, 3]), array([ 2.,  2., -6.,  2.]))
    """
    place = np.abs(rows).argmax(1)
    factor = rows[np.arange(len(rows)), place]
    factor = np.where((factor == 0) | ~np.isfinite(factor), 1.0, factor)
    forms = rows / factor[:, None]
    sketch = forms @ (1 / (1 + np.arange(rows.shape[1])))

    def same(one: Places, other: Places) -> Bools:
        return np.asarray((np.abs(forms[one] - forms[other]) <= SLACK * np.abs(forms[one])).all(1))

    return first_multiples(labels(key, place), sketch, 2 * SLACK, same), factor
