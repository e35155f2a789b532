"""Graphviz drawings."""
