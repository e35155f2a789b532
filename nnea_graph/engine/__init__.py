"""What runs passes: their contract, their order, their instruments."""

from nnea_graph.engine.manager import PassResult, run_passes
from nnea_graph.engine.passes import Pass

__all__ = ["Pass", "PassResult", "run_passes"]
