"""In-graph reductions of observed tensors."""
