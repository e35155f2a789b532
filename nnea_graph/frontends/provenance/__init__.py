"""Derivations of exported constants from source tensors."""
