"""Interfaces and helpers that every frontend uses."""
