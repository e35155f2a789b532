"""Rewriting of a model: coupled channel groups, a model without some of them, the refit of what is left."""
