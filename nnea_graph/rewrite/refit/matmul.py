"""Matrix products as least-squares problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refit.gram import Floats
from nnea_graph.rewrite.refit.least_squares_form import Array, Form, Indices


@dataclass(frozen=True, slots=True)
class DenseForm:
    """A matrix product over the last axis; ``turned`` weights are stored output by input, ``scale`` multiplies them."""

    columns: int
    outputs: int
    turned: bool = False
    scale: float = 1.0
    turned_data: bool = False
    groups: int = 1
    from_end: int = -1

    def count(self, x: Array) -> int:
        """All axes but the last."""
        return x.size // self.columns

    def rows(self, x: Array, chosen: Indices) -> Floats:
        """Rows as they are."""
        data = x.T if self.turned_data else x
        found: Floats = data.reshape(-1, self.columns)[chosen].astype(np.float64)[None]
        return found

    def difference(self, step: Floats) -> Floats:
        """Turned back."""
        return np.transpose(step[0] / self.scale, (1, 0) if self.turned else (0, 1))


def matmul(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """Data by weight; the weight on the left, or one for each sample, is another thing."""
    del node
    if len(weight) != 2:
        return f"its weight has {len(weight)} axes; 2 are refitted"
    return DenseForm(*weight)


def gemm(node: OpNode, weight: tuple[int, ...]) -> Form | str:
    """Form with its transpositions and its factor."""
    turned, alpha = bool(node.attributes.get("transB", 0)), float(node.attributes.get("alpha", 1.0))
    if not alpha:
        return "its factor alpha is 0"
    columns, outputs = weight[::-1] if turned else weight
    return DenseForm(columns, outputs, turned, alpha, bool(node.attributes.get("transA", 0)))
