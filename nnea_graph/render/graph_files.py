"""GraphML and GEXF files, written by networkx."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_DATE = re.compile(r' lastmodifieddate="[^"]*"')
_ESCAPED = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Kinds of characters that XML refuses, or that readers take for the end of a line."""


def graphml_pieces(graph: nx.DiGraph[str]) -> Iterator[str]:
    """A GraphML file (yEd, Gephi, Cytoscape, igraph); ``networkx.read_graphml`` reads it back."""
    import networkx as nx  # noqa: PLC0415 - takes long to import

    yield _HEAD
    yield from (f"{line}\n" for line in nx.generate_graphml(inert_graph(graph)))


def gexf_pieces(graph: nx.DiGraph[str]) -> Iterator[str]:
    """A GEXF file (Gephi), without the date that networkx puts there; ``networkx.read_gexf`` reads it back."""
    import networkx as nx  # noqa: PLC0415 - as above

    yield _HEAD
    for line in nx.generate_gexf(inert_graph(graph)):
        yield (_DATE.sub("", line) if "<meta " in line else line) + "\n"


GRAPH_FORMATS: Mapping[str, Callable[[nx.DiGraph[str]], Iterator[str]]] = {
    "graphml": graphml_pieces,
    "gexf": gexf_pieces,
}


def inert_graph(graph: nx.DiGraph[str]) -> nx.DiGraph[str]:
    """The same graph with names that XML can hold, different ones staying different."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for node in graph:
        name = escaped(node)
        while name in taken:
            name += "'"
        names[node] = name
        taken.add(name)
    copy = graph.__class__(**_inert(graph.graph))
    copy.add_nodes_from((names[node], _inert(facts)) for node, facts in graph.nodes(data=True))
    copy.add_edges_from((names[a], names[b], _inert(facts)) for a, b, facts in graph.edges(data=True))
    return copy


def _inert(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {escaped(name): escaped(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}


def escaped(text: str) -> str:
    r"""Text that XML can hold: control characters as Python escapes them.

    >>> escaped("a\x1bb")
    'a\\x1bb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(each) if _refused(each) else each for each in text)


def _refused(character: str) -> bool:
    return unicodedata.category(character) in _ESCAPED or character in "\ufffe\uffff"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
