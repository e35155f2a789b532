"""Finds the type and shape of every tensor, at stated dims."""

from __future__ import annotations

from dataclasses import dataclass

from nnea_graph.engine import Pass, RunContext
from nnea_graph.errors import OperatorError
from nnea_graph.graph import Key, ModelGraph
from nnea_graph.static.dims import Dims, resolve
from nnea_graph.static.propagation import fit_of, infer
from nnea_graph.static.result import StaticFacts

DIMS = Key[Dims]("dims")
"""The numbers that stand for the model's symbols."""

SHAPES = Key[StaticFacts]("shapes")
"""Types, shapes, small values and trip counts of the whole model."""


@dataclass(frozen=True)
class ShapeInferencePass(Pass):
    """onnx's own inference operator by operator, our rules where it is blind; never a guess."""

    name = "shape_inference"
    provides = (DIMS, SHAPES)

    def run(self, graph: ModelGraph, context: RunContext) -> None:
        """Choose the dims, then walk the graph at them."""
        dims = resolve(graph, context.dims, context.input_shapes, lambda tried: fit_of(graph, tried))
        found = infer(graph, dims)
        if found.problems and not dims.note:
            raise OperatorError(found.problems[0].message)
        graph[DIMS] = dims
        graph[SHAPES] = found
