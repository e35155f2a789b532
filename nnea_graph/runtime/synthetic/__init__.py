"""Seeded inputs that suit a model."""
