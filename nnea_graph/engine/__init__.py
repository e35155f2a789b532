"""What runs passes: their contract, their order, their instruments."""

from nnea_graph.engine.base import Pass
from nnea_graph.engine.manager import PassResult, run_passes
from nnea_graph.engine.section import Column, FactRow, FactSection

__all__ = ["Column", "FactRow", "FactSection", "Pass", "PassResult", "run_passes"]
