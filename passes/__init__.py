"""The catalogue of passes, read off the file names, and of those that other packages add."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from nnea_graph.engine import Pass
from nnea_graph.errors import PassError, UsageError

ENTRY_POINTS = "nnea_graph.passes"
"""Group under which other packages announce passes: ``name = "package.module:ClassName"``."""


def catalogue() -> dict[str, Callable[[], type[Pass]]]:
    """Every pass by name; calling the value imports it."""
    own: dict[str, Callable[[], type[Pass]]] = {
        module.name: _own(module.name)
        for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name)
    }
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        if entry.name in own:
            raise UsageError(
                f"an installed package announces a pass '{entry.name}' a second time: {entry.value}"
            )
        own[entry.name] = _announced(entry)
    return own


def _announced(entry: EntryPoint) -> Callable[[], type[Pass]]:
    def load() -> type[Pass]:
        try:
            found = entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            raise PassError(
                f"pass '{entry.name}' of an installed package cannot be loaded: {error}"
            ) from error
        if not (isinstance(found, type) and issubclass(found, Pass) and found.name == entry.name):
            raise PassError(
                f"an installed package announces '{entry.value}' as pass '{entry.name}', which it is not"
            )
        return found

    return load


def _own(name: str) -> Callable[[], type[Pass]]:
    def load() -> type[Pass]:
        class_name = "".join(part.capitalize() for part in name.split("_")) + "Pass"
        found: type[Pass] = getattr(import_module(f"{__name__}.{name}"), class_name)
        return found

    return load
