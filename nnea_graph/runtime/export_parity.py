"""Runs an exported model beside the live one it was made from: do both give the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import NneaError
from nnea_graph.frontends.shared.interface import ConvertedModel
from nnea_graph.graph import ModelGraph
from nnea_graph.graph.model import Note
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session.session import session_of

_TOLERANCE = {2: 2e-2, 4: 1e-3, 8: 1e-3}
"""By bytes of the outputs' numbers: what rounding adds up to over many layers, of the largest output."""
_STEPS = 2
"""Of a source that computes in few bits: a number halfway between two of them may go to either, and so may the next."""


@dataclass(frozen=True, slots=True)
class Parity:
    """``difference`` is the largest of any output, None where ``reason`` says why they were not compared.

    ``agrees`` is False where the difference is more than rounding.
    """

    difference: float | None
    agrees: bool = True
    reason: str = ""

    def __str__(self) -> str:
        if self.difference is None:
            return f"not compared with the source: {self.reason}"
        return f"outputs differ from the source by {self.difference:.3g} at most"


def parity(graph: ModelGraph, converted: ConvertedModel) -> Parity:
    """Run both on the example of the export."""
    if converted.reference is None or converted.example is None:
        return Parity(None, reason="the source cannot be run here")
    try:
        found = session_of(to_proto(graph)).run(converted.example)
        wanted = converted.reference(converted.example)
    except NneaError as error:
        return Parity(None, reason=str(error))
    return _compared(found, wanted, converted.steps or (0.0,) * len(wanted))


def _compared(found: Sequence[Any], wanted: Sequence[NDArray[Any]], steps: Sequence[float]) -> Parity:
    if len(found) != len(wanted):
        return Parity(None, reason=f"the source has {len(wanted)} outputs, the exported model {len(found)}")
    pairs = [(np.asarray(one), np.asarray(other)) for one, other in zip(found, wanted, strict=True)]
    for place, (one, other) in enumerate(pairs):
        if one.shape != other.shape:
            reason = f"output {place} has shape {list(one.shape)}, in the source {list(other.shape)}"
            return Parity(None, agrees=False, reason=reason)
    differences = [
        _difference(one, other, step) for (one, other), step in zip(pairs, steps, strict=True) if one.size
    ]
    largest = max((difference for difference, _ in differences), default=0.0)
    return Parity(largest, all(agrees for _, agrees in differences))


def _difference(one: NDArray[Any], other: NDArray[Any], step: float) -> tuple[float, bool]:
    """The largest difference, and whether it is rounding; NaN and infinities must be at the same places."""
    width = min(one.dtype.itemsize, other.dtype.itemsize)
    one, other = one.astype(np.float64), other.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.abs(np.where(same, 0.0, one - other))
    if not np.isfinite(apart).all():
        return float("inf"), False
    scale = np.abs(other[np.isfinite(other)]).max(initial=0.0)
    largest = float(apart.max())
    return largest, largest <= max(_TOLERANCE.get(width, 1e-3) * scale, _STEPS * step)


def compared(graph: ModelGraph, converted: ConvertedModel) -> tuple[ModelGraph, Parity]:
    """The graph, with a note where it does not do what its source does."""
    found = parity(graph, converted)
    if not found.agrees:
        what = found.reason or str(found)
        note = Note("unlike-source", "", f"the exported model does not do what its source does: {what}")
        graph.info = replace(graph.info, notes=(*graph.info.notes, note))
    return graph, found
