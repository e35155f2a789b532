"""Gains: what share of a channel each of several tensors gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnea_graph.channels.graph import Carry, ChannelTensor, Floats, Link, Places
from nnea_graph.channels.rule_context.model_view import ModelView


@dataclass(frozen=True, slots=True)
class JoinShare:
    """Share that one tensor gives to another: ``weight`` is how much of each target channel's elements (1: all)."""

    source: ChannelTensor
    places: Places
    weight: NDArray[np.float64] | float = 1.0


def carried(
    sight: ModelView, node: str, target: ChannelTensor, parts: Sequence[JoinShare], mark: str = ""
) -> tuple[Link, ...]:
    """Links of what operators only carry, with the share of each part by its mean |a|, equal without data."""
    gains = shares(sight, parts)
    return tuple(
        Link(part.source.name, target.name, node, Carry(part.places), gain, mark)
        for part, gain in zip(parts, gains, strict=True)
        if (part.places >= 0).any()
    )


def shares(sight: ModelView, parts: Sequence[JoinShare]) -> list[Floats | None]:
    """One gain a target channel for each part; None where no channel has two parts."""
    there = np.array([part.places >= 0 for part in parts])
    if (there.sum(0) < 2).all():
        return [None] * len(parts)
    levels = [sight.activation(part.source) for part in parts]
    measured = all(level is not None for level in levels)
    weights = np.array(
        [
            np.where(here, part.weight * (level[part.places] if measured and level is not None else 1.0), 0.0)
            for part, here, level in zip(parts, there, levels, strict=True)
        ]
    )
    total = weights.sum(0)
    # What is 0 everywhere is shared alike: somebody gives it.
    weights = np.where(total > 0, weights, there)
    total = weights.sum(0)
    return list(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))
