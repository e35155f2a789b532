"""Determines which channels go: how much each is worth, how many each layer can spare, and how many a target takes."""
