"""Types, shapes and small values of every tensor at given dims, as plain functions that any pass may call."""
