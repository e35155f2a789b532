"""The catalogue of rules: every one that a report can speak by, read off the modules that define them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import MappingProxyType

from nnea_graph.report.findings.rules import Rule

_MODULES = ("rules", "quantization", "redundancy", "sensitivity")


@cache
def every_rule() -> MappingProxyType[str, tuple[str, Rule]]:
    """Rules by id, each with its name, in order of id.

    >>> every_rule()["NNEA103"][0]
    'unknown-cost'
    """
    found: dict[str, tuple[str, Rule]] = {}
    for module in _MODULES:
        for name, rule in vars(import_module(f"nnea_graph.report.findings.{module}")).items():
            if isinstance(rule, Rule):
                found[rule.id] = name.lower().replace("_", "-"), rule
    return MappingProxyType(dict(sorted(found.items())))
