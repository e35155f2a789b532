"""What a field of the report means, beside the field itself."""

from __future__ import annotations


def doc(text: str) -> dict[str, str]:
    """Metadata of a field: what it means, for ``nnea-graph schema``."""
    return {"doc": text}
