"""``nnea-graph explain``: definitions of metrics, columns, verdicts and rules."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from nnea_graph.errors import UsageError
from nnea_graph.render.output_files import standard_output
from nnea_graph.report.findings.rules import Rule
from nnea_graph.report.glossary.lookup import TERMS, all_rules, find_rules, find_terms, nearest
from nnea_graph.report.glossary.term import Term

_WIDTH = 100
_LABEL = 12


def explain(word: str | None) -> None:
    """Prints a definition, or the list of all words.

    Raises:
        UsageError: the word is not defined.
    """
    lines = _index() if word is None else _explained(word)
    with standard_output() as stdout:
        stdout.writelines(f"{line}\n" for line in lines)


def _explained(word: str) -> list[str]:
    found = [_term(each) for each in find_terms(word)] or [_rule(each) for each in find_rules(word)]
    if not found:
        near = nearest(word)
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else "'nnea-graph explain' lists all words"
        )
        raise UsageError(f"explain: no definition of '{word}'; {hint}")
    return "\n\n".join("\n".join(lines) for lines in found).splitlines()


def _term(term: Term) -> Iterator[str]:
    yield term.name
    yield from _field("definition", term.definition)
    for label in ("formula", "units", "source", "good_for", "not_for"):
        yield from _field(label.replace("_", " "), getattr(term, label))
    yield from _field("also", "; ".join(term.aliases))


def _rule(rule: Rule) -> Iterator[str]:
    yield f"{rule.id} ({rule.severity})"
    yield from _field("rationale", rule.hazard)
    yield from _field("mitigation", rule.mitigation)


def _field(label: str, text: str) -> list[str]:
    start = f"  {label:<{_LABEL}}"
    return (
        textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=" " * len(start)) if text else []
    )


def _index() -> Iterator[str]:
    yield "Words that 'nnea-graph explain WORD' defines:"
    yield ""
    width = max(len(term.name) for term in TERMS) + 2
    for term in sorted(TERMS, key=lambda term: term.name.lower()):
        yield f"  {term.name:<{width}}{textwrap.shorten(term.definition, _WIDTH - width, placeholder=' …')}"
    yield ""
    yield "Rules:"
    yield ""
    for rule in all_rules():
        yield f"  {rule.id:<{width}}{textwrap.shorten(rule.hazard, _WIDTH - width, placeholder=' …')}"
