"""Determines which slots of its inputs and outputs an operator couples: one family of operators a file."""
