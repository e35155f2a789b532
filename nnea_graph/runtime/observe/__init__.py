"""Reductions in the graph: in-graph reductions of observed tensors."""
