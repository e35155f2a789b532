"""Assembly of sections and findings into one report."""
