"""``nnea-graph passes``: the catalogue as a table."""

from __future__ import annotations

import sys
from dataclasses import fields
from inspect import getdoc

from nnea_graph.passes import catalogue


def list_passes() -> None:
    """Print each pass: what it does, needs and gives, its options, and whether it runs by default."""
    for name, load in catalogue().items():
        kind = load()
        summary = (getdoc(kind) or "").partition("\n")[0]
        options = ", ".join(f"{field.name}: {field.type}" for field in fields(kind))
        lines = [
            f"{name}{'' if kind.default else '  (only when asked for: -p +' + name + ')'}",
            f"    {summary}",
            f"    needs   {_names(kind.requires)}",
            f"    gives   {_names(kind.provides)}",
        ]
        sys.stdout.write("\n".join([*lines, f"    options {options}" if options else ""]).rstrip() + "\n")


def _names(keys: object) -> str:
    return ", ".join(key.name for key in keys) or "nothing"  # type: ignore[attr-defined]
