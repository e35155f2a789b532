"""User data to batches."""
