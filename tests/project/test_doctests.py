"""The examples in the docstrings say what the functions do; modules without one are not imported."""

from __future__ import annotations

import doctest
import re
from importlib import import_module

import pytest
from project.test_tree import trees

EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)
EXAMPLES = [name for name, (path, _) in trees().items() if EXAMPLE.search(path.read_text(encoding="utf-8"))]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 50


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    found = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed
