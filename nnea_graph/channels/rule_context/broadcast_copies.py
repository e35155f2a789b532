"""Copies: channels of a tensor that are one channel of another, spread over positions by a reshape.

Exporters write GroupNorm as a reshape to (batch, groups, rest), InstanceNormalization and a reshape back. Between
the two every position counts as a channel; by their copies the channels are found again behind it.
"""

from __future__ import annotations

import numpy as np

from nnea_graph.channels.graph import Places


def copies_of(places: Places, copies: Places | None) -> Places | None:
    """First channel for each channel that is the same, given where it comes from; None where all differ.

    ``copies`` are those of the source. -1 stays: what comes from nowhere is no copy.

    >>> copies_of(np.array([0, 0, 1, -1, 1]), None).tolist()
    [0, 0, 2, -1, 2]
    """
    origin = places if copies is None else np.where(places >= 0, copies[places], -1)
    found, first, each = np.unique(origin, return_index=True, return_inverse=True)
    if found.size == origin.size:
        return None
    return np.where(origin >= 0, first[each], -1)
