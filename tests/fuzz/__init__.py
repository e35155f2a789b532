"""Mutants of the shipped models, and what the program may do with them."""
