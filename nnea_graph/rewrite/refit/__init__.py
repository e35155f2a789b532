"""Least squares after structured pruning: layers solved again so that they give what the original gives."""
