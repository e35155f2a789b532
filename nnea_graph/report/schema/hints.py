"""Types of the fields of the report, those of the parts included that are imported where their pass has run."""

from __future__ import annotations

from typing import Any, get_type_hints

from nnea_graph.engine import section
from nnea_graph.report.schema import pathways, quantization, redundancy, sensitivity

_PARTS = (section, pathways, quantization, redundancy, sensitivity)


def hints_of(kind: type) -> dict[str, Any]:
    """The types of a record's fields by name."""
    return get_type_hints(kind, localns={name: each for part in _PARTS for name, each in vars(part).items()})
