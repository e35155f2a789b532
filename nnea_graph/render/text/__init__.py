"""The analysis report for a terminal, one section a file."""
