"""Attributes that change in an operator besides its tensors when channels go: one family of operators a file."""
