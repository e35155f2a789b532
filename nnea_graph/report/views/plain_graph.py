"""The graph with facts as plain numbers, text and truth values, for whoever reads graph files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.report.facts import fact
from nnea_graph.report.metadata import PREFIX, Facts
from nnea_graph.report.schema.analysis import Dim, Node, Report
from nnea_graph.static.cost_counting import nbytes

if TYPE_CHECKING:
    import networkx as nx

Plain = dict[str, int | float | bool | str]
_INT64 = 1 << 63


def plain_graph(graph: ModelGraph, report: Report) -> nx.DiGraph[str]:
    """The operators with what ``annotate`` writes of them, the edges with their tensors; unknown facts are left out.

    An attribute has values of one type on all nodes.
    """
    import networkx as nx  # noqa: PLC0415 - takes long to import

    facts, found = Facts(report), fact(graph, SHAPES)
    types = found.types if found else {}
    nodes = {node.id: _node(place, node, facts) for place, node in enumerate(report.nodes)}
    whole: nx.DiGraph[str] = nx.DiGraph()
    whole.graph |= _flat(_values(facts.of_model()))
    whole.graph |= {"name": report.model.path}
    whole.graph |= {"inputs": ", ".join(graph.inputs), "outputs": ", ".join(graph.outputs)}
    _of_one_type(nodes.values())
    whole.add_nodes_from(nodes.items())
    for before, after, edge in graph.nx.edges(data=True):
        whole.add_edge(before, after, **_edge(list(dict.fromkeys(edge["tensors"])), types))
    return whole


def _node(place: int, node: Node, facts: Facts) -> Plain:
    described = {
        "op_type": node.op_type,
        "domain": node.domain,
        "scope": node.scope,
        "body": node.body,
        "position": place,
        "shape": _dims(node.shapes[0]) if node.shapes else None,
        "dtype": node.dtypes[0] if node.dtypes else None,
    }
    return _flat(described | _values(facts.of_operators([node.id])))


def _edge(names: Sequence[str], types: Mapping[str, TensorInfo]) -> Plain:
    infos = [types.get(name) for name in names]
    sizes = [nbytes(info) for info in infos]
    known = [size for size in sizes if size is not None]
    first = infos[0]
    return _flat(
        {
            "tensors": ", ".join(names),
            "bytes": sum(known) if len(known) == len(names) else None,
            "shape": _dims(first.shape) if first else None,
            "dtype": first.dtype.name if first and first.dtype else None,
        }
    )


def _dims(shape: Sequence[Dim] | None) -> str | None:
    return None if shape is None else "x".join("?" if dim is None else str(dim) for dim in shape) or "scalar"


def _values(texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of metadata, without the reasons of those that are not known."""
    values = {key.removeprefix(PREFIX): json.loads(text) for key, text in texts.items()}
    values.pop("unknown", None)
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> Plain:
    """Parts of an object as ``name.part``, lists as JSON, None left out."""
    flat: Plain = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            flat[prefix + name] = json.dumps(value, ensure_ascii=False)
        elif value is not None:
            large = type(value) is int and not -_INT64 <= value < _INT64
            flat[prefix + name] = float(value) if large else value
    return flat


def _of_one_type(nodes: Iterable[Plain]) -> None:
    """Numbers become floats where one is; anything that has text or truth values beside others becomes text."""
    every = list(nodes)
    kinds: dict[str, set[type]] = {}
    for attributes in every:
        for name, value in attributes.items():
            kinds.setdefault(name, set()).add(type(value))
    mixed = {name: found for name, found in kinds.items() if len(found) > 1}
    for name, found in mixed.items():
        convert: Callable[[Any], float | str] = float if found == {int, float} else str
        for attributes in every:
            if name in attributes:
                attributes[name] = convert(attributes[name])
