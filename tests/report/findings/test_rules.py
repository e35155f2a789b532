"""The rules of findings: an id is one thing, and says what kind it is of."""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from importlib import import_module

from nnea_graph.report import audit, findings
from nnea_graph.report.findings.rules import Rule

MODULES = [
    import_module(f"{package.__name__}.{module.name}")
    for package in (findings, audit)
    for module in pkgutil.iter_modules(package.__path__)
]
ALL = {id(value): value for module in MODULES for value in vars(module).values() if isinstance(value, Rule)}


def test_an_id_is_one_rule() -> None:
    assert len(ALL) > 30
    assert [name for name, count in Counter(rule.id for rule in ALL.values()).items() if count > 1] == []


def test_an_id_is_three_digits_behind_the_name_of_the_project() -> None:
    assert [rule.id for rule in ALL.values() if not re.fullmatch("NNEA[1-9][0-9]{2}", rule.id)] == []
