"""Chooses as many units of each layer as the best paths run through, by other ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from nnea_graph.channels.ablation.units import AblatedUnits
from nnea_graph.channels.graph import Places
from nnea_graph.channels.paths.shares import Vector

Chosen = Mapping[str, Places]
"""Units by tensor."""


def units_on_paths(layers: Sequence[AblatedUnits]) -> Chosen:
    """The units themselves."""
    return {layer.tensor: layer.units for layer in layers}


def largest(layers: Sequence[AblatedUnits], scores: Mapping[str, Vector]) -> Chosen:
    """Those of the highest score in each layer; of equal ones the first."""
    return {
        layer.tensor: np.argsort(-scores[layer.tensor], kind="stable")[: layer.units.size] for layer in layers
    }


def drawn(layers: Sequence[AblatedUnits], counts: Mapping[str, int], seed: int, repeat: int) -> Chosen:
    """Random ones of all, the same for the same seed, number of the repeat and name of the tensor."""
    return {
        layer.tensor: np.random.default_rng([seed, repeat, crc32(layer.tensor.encode())]).choice(
            counts[layer.tensor], layer.units.size, replace=False
        )
        for layer in layers
    }
