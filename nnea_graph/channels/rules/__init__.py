"""Defines how each operator leads channels on; one family a file, registered by decorator."""
