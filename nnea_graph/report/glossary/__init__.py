"""The definitions of every metric, column and verdict that a report shows."""
