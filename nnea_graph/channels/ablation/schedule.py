"""Determines which cuts are worth measuring, the most telling first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from nnea_graph.channels.ablation.weights_and_channels import CRITERIA, Ablation, Removable, removed

FRACTIONS = (0.5, 0.7, 0.3, 0.9, 0.1)
"""In the order in which they are measured."""

WHOLE = ""
"""Names the whole model in place of a layer: the same share of every layer at once."""


def ordered_cuts(layers: Sequence[Removable], units: Sequence[str]) -> list[tuple[str, Ablation]]:
    """Cuts of the whole model and of each layer (by its node), those that leave all or nothing left out.

    Half of the whole model by each criterion, half of each layer by importance; the other shares of the whole by
    importance; half of each layer by magnitude and at random; then what is left, by importance first.
    """
    names = [layer.node for layer in layers]
    first, *others = CRITERIA
    half, *shares = FRACTIONS
    stages: Iterable[tuple[list[str], Sequence[str], Sequence[float]]] = (
        ([WHOLE], CRITERIA, (half,)),
        (names, (first,), (half,)),
        ([WHOLE], (first,), shares),
        (names, others, (half,)),
        (names, (first,), shares),
        ([WHOLE], others, shares),
        (names, others, shares),
    )
    found = [
        (name, Ablation(unit, criterion, fraction))
        for chosen, criteria, fractions in stages
        for fraction, criterion, unit, name in product(fractions, criteria, units, chosen)
    ]
    by_name = {layer.node: layer for layer in layers}
    return [(name, cut) for name, cut in found if any(concerned(by_name, name, cut))]


def concerned(layers: dict[str, Removable], name: str, cut: Ablation) -> Iterator[Removable]:
    """The layers that a cut takes something from and leaves something of."""
    for layer in layers.values() if name == WHOLE else (layers[name],):
        if 0 < removed(layer, cut) < layer.size(cut.unit):
            yield layer
