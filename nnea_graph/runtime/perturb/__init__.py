"""Runs with altered weights or masked channels."""
