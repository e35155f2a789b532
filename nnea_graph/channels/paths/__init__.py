"""Top-k pathways, marginals and flows on the channel graph."""
