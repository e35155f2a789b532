"""The package speaks the words of its field: American spelling, docstrings that begin with a verb or a noun."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLAUSE = frozenset(
    [
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "when",
        "whenever",
        "where",
        "wherever",
        "how",
        "whether",
    ]
)
PREPOSITION = frozenset(
    [
        "of",
        "by",
        "in",
        "on",
        "at",
        "for",
        "with",
        "from",
        "to",
        "as",
        "without",
        "before",
        "after",
        "under",
        "beside",
        "besides",
        "between",
        "among",
        "into",
        "onto",
        "over",
        "against",
        "through",
        "within",
        "near",
        "per",
        "until",
        "since",
        "than",
        "like",
        "about",
        "above",
        "below",
        "across",
        "along",
        "around",
        "behind",
    ]
)
MOST = 0.02
"""Share of docstrings that may begin so."""
BRITISH = re.compile(
    r"\w*(colour|behaviour|neighbour|favour|honour|labelled|normalis|optimis|initialis|serialis|summaris|recognis"
    r"|generalis|centred|grey)\w*",
    re.IGNORECASE,
)


def _sources() -> Iterator[Path]:
    for folder in ("nnea_graph", "passes"):
        yield from (each for each in sorted((ROOT / folder).rglob("*.py")))


def _docstrings() -> Iterator[str]:
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from filter(None, [ast.get_docstring(node)])


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    first = [re.match(r"\W*([A-Za-z']+)", each) for each in _docstrings()]
    words = [found[1].lower() for found in first if found]
    assert len(words) > 3000
    odd = sum(word in CLAUSE or word in PREPOSITION for word in words)
    assert odd / len(words) < MOST, f"{odd} of {len(words)} begin with a wh-word or a preposition"


def test_texts_are_spelled_the_american_way() -> None:
    texts = [*_sources(), ROOT / "README.md", *sorted((ROOT / "nnea_graph" / "docs").glob("*.md"))]
    found = [(path.name, each[0]) for path in texts for each in BRITISH.finditer(path.read_text("utf-8"))]
    assert found == []
