"""Channels of tensors and how the signal runs between them: the base of paths, pruning and importance of units."""
