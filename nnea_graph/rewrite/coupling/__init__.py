"""Coupled (dependent) channel groups."""
