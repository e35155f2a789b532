"""Every word that a report shows has a definition."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields

import pytest

from nnea_graph.render import text
from nnea_graph.render.text.layout import TextColumn
from nnea_graph.report.glossary.lookup import TERMS, all_rules, find_rules, find_terms, nearest
from nnea_graph.report.schema.analysis import Metrics, Totals


def _columns() -> Iterator[str]:
    for module in pkgutil.iter_modules(text.__path__):
        loaded = importlib.import_module(f"{text.__name__}.{module.name}")
        for value in vars(loaded).values():
            for each in value if isinstance(value, tuple) else ():
                if isinstance(each, TextColumn):
                    yield " ".join(filter(None, each.title))


TITLES = sorted({title for title in _columns() if title and not title[0].isdigit()})


def test_the_titles_of_the_columns_are_found() -> None:
    assert len(TITLES) > 40
    assert {"util. %", "Gini", "parallel"} <= set(TITLES)


@pytest.mark.parametrize("title", TITLES)
def test_every_column_title_is_defined(title: str) -> None:
    assert find_terms(title)


@pytest.mark.parametrize("kind", [Metrics, Totals])
def test_every_field_of_the_metrics_and_totals_is_defined(kind: type[Metrics | Totals]) -> None:
    assert [field.name for field in fields(kind) if not find_terms(field.name)] == []


def test_no_word_has_two_definitions() -> None:
    words = [name.lower().replace("_", " ") for term in TERMS for name in {term.name, *term.aliases}]
    assert sorted(word for word in set(words) if words.count(word) > 1 and len(find_terms(word)) > 1) == []


def test_every_rule_is_found_by_its_id() -> None:
    assert len(all_rules()) >= 37
    assert all(rule in find_rules(rule.id.lower()) for rule in all_rules())


def test_a_misspelt_word_has_neighbors() -> None:
    assert "utilization" in nearest("utilisation")
