"""Engine that runs passes: their contract, their order, what a run gives them."""

from nnea_graph.engine.base import Pass
from nnea_graph.engine.context import RunContext
from nnea_graph.engine.manager import PassResult, run_passes
from nnea_graph.engine.section import Column, FactRow, FactSection

__all__ = ["Column", "FactRow", "FactSection", "Pass", "PassResult", "RunContext", "run_passes"]
