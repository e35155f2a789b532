"""The definitions and rules by name."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from nnea_graph.report.findings.catalogue import every_rule
from nnea_graph.report.findings.rules import Rule
from nnea_graph.report.glossary import cost, importance, measurement
from nnea_graph.report.glossary.term import Term

TERMS: tuple[Term, ...] = (*cost.TERMS, *importance.TERMS, *measurement.TERMS)


def all_rules() -> list[Rule]:
    """Every rule of the findings, sorted by id."""
    return [rule for _, rule in every_rule().values()]


def find_terms(word: str) -> list[Term]:
    """Terms with this name or alias, regardless of case, underscores and spaces.

    >>> [term.name for term in find_terms("Util.")]
    ['utilization']
    """
    wanted = _plain(word)
    named = [term for term in TERMS if _plain(term.name) == wanted]
    return named or [term for term in TERMS if wanted in map(_plain, term.aliases)]


def find_rules(word: str) -> list[Rule]:
    """Rules with this id."""
    return [rule for rule in all_rules() if rule.id == word.upper()]


def nearest(word: str) -> Sequence[str]:
    """Up to three known names that resemble the word."""
    names = {_plain(name): name for term in TERMS for name in (*term.aliases, term.name)}
    names |= {rule.id.lower(): rule.id for rule in all_rules()}
    return [names[each] for each in get_close_matches(_plain(word), names, 3, 0.5)]


def _plain(word: str) -> str:
    return " ".join(word.lower().replace("_", " ").split())
