"""``nnea-graph passes``: the catalogue as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from inspect import getdoc
from typing import Any

from nnea_graph.engine import Pass
from nnea_graph.engine.pipeline import type_name
from nnea_graph.graph import Key
from nnea_graph.passes import catalogue
from nnea_graph.render.output_files import standard_output


def list_passes() -> None:
    """Print each pass: what it does, needs and gives, its options, and whether it runs by default."""
    with standard_output() as stdout:
        for name, load in catalogue().items():
            stdout.write(_described(name, load()))


def _described(name: str, kind: type[Pass]) -> str:
    summary = (getdoc(kind) or "").partition("\n")[0]
    options = ", ".join(f"{field.name}: {type_name(field)}" for field in fields(kind))
    lines = [
        f"{name}{'' if kind.default else '  (not by default; add with -p +' + name + ')'}",
        f"    {summary}",
        f"    requires {_names(kind.requires)}",
        *([f"    optional {_names(kind.uses)}"] if kind.uses else []),
        f"    provides {_names(kind.provides)}",
    ]
    return "\n".join([*lines, f"    options  {options}" if options else ""]).rstrip() + "\n"


def _names(keys: Iterable[Key[Any]]) -> str:
    return ", ".join(key.name for key in keys) or "nothing"
