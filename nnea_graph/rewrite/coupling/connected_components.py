"""Connected components of many slots at once: no recursion, no loop over slots."""

from __future__ import annotations

import numpy as np

from nnea_graph.rewrite.coupling.index_space import Indices


def merged(labels: Indices, left: Indices, right: Indices) -> Indices:
    """``labels`` (each the smallest slot of its set) after the sets of ``left[i]`` and ``right[i]`` are one.

    Each round hangs every set below its smallest neighbor and shortens all chains, which leaves at most half
    of the sets that still have one: O((n + m) log n).

    >>> merged(np.arange(5), np.array([3, 1]), np.array([4, 3])).tolist()
    [0, 1, 2, 1, 1]
    """
    found = labels.copy()
    while True:
        one, other = found[left], found[right]
        differ = one != other
        if not differ.any():
            return found
        one, other = one[differ], other[differ]
        left, right = left[differ], right[differ]
        np.minimum.at(found, np.maximum(one, other), np.minimum(one, other))
        found = _shortened(found)


def _shortened(labels: Indices) -> Indices:
    while True:
        further = labels[labels]
        if np.array_equal(further, labels):
            return labels
        labels = further
