"""Derived numbers for renderers: shares, groups, orders."""
