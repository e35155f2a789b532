"""Removal: which indices of which tensors were taken out of a model, and the model without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnx import ModelProto

from nnea_graph.graph import ModelGraph
from nnea_graph.rewrite.coupling.index_space import Axis, Indices


@dataclass(frozen=True, slots=True)
class Removal:
    """``kept`` are the indices that stay along every axis (of a tensor of the original) that loses some.

    ``counts`` is how many groups each family of channels keeps.
    """

    original: ModelGraph
    model: ModelProto
    kept: Mapping[Axis, Indices]
    counts: Mapping[str, int]
