"""Terminal reports of prune."""
