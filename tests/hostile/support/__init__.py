"""Runs the command line on hostile input and measures what that takes; makes the input."""
