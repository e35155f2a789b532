"""One table a kind of rule; claiming an operator twice is an error."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Generic, TypeVar

Rule = TypeVar("Rule")

MICROSOFT = "com.microsoft"


class Registry(Generic[Rule]):
    """Rules by operator and domain; "" is ai.onnx.

    ``families`` is the package whose modules register the rules, one family of operators a module; they are imported
    when the first rule is asked for. A name and not the package: a table does not import what is registered in it.
    """

    def __init__(self, kind: str, families: str = "") -> None:
        self.kind = kind
        self._families = families
        self._rules: dict[tuple[str, str], Rule] = {}

    def add(self, rule: Rule, *op_types: str, domain: str = "") -> None:
        """Claim operators for a rule."""
        for op_type in op_types:
            if (domain, op_type) in self._rules:
                raise ValueError(f"two {self.kind} rules claim {domain or 'ai.onnx'}::{op_type}")
            self._rules[domain, op_type] = rule

    def register(self, *op_types: str, domain: str = "") -> Callable[[Rule], Rule]:
        """Decorate a function: it is the rule of these operators."""

        def claim(rule: Rule) -> Rule:
            self.add(rule, *op_types, domain=domain)
            return rule

        return claim

    def get(self, op_type: str, domain: str = "") -> Rule | None:
        """The rule of an operator, None where nobody claims it. ``ai.onnx`` is the same as ""."""
        self._load()
        return self._rules.get(("" if domain == "ai.onnx" else domain, op_type))

    def claimed(self, domain: str = "") -> frozenset[str]:
        """The operators of a domain that have a rule."""
        self._load()
        return frozenset(op for where, op in self._rules if where == domain)

    def operators(self) -> frozenset[tuple[str, str]]:
        """All operators that have a rule: domain and name."""
        self._load()
        return frozenset(self._rules)

    def _load(self) -> None:
        """Import the families, once."""
        if not self._families:
            return
        package, self._families = import_module(self._families), ""
        for family in pkgutil.iter_modules(package.__path__):
            import_module(f"{package.__name__}.{family.name}")
