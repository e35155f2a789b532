"""The JSON schema, one part a file."""

from __future__ import annotations


def doc(text: str) -> dict[str, str]:
    """Metadata of a field: what it means, for ``nnea-graph schema``."""
    return {"doc": text}
