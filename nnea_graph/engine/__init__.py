"""What runs passes: their contract, their order, their instruments."""

from nnea_graph.engine.base import Pass
from nnea_graph.engine.manager import PassResult, run_passes

__all__ = ["Pass", "PassResult", "run_passes"]
