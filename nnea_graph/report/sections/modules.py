"""Modules of the source model: what operators, layers and parameters add up to in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from nnea_graph.graph import ModelGraph, SourceFacts
from nnea_graph.graph.source_facts import outer
from nnea_graph.report.schema.analysis import Layer, Node
from nnea_graph.report.schema.modules import Module
from nnea_graph.report.sections.statistics import part_totals

T = TypeVar("T")


def modules_of(graph: ModelGraph, layers: Sequence[Layer], nodes: Sequence[Node]) -> list[Module]:
    """The modules that the source model has, or that the operators say they are of; none where they do not say."""
    classes = _classes(graph.source, nodes)
    around = {path: [each for each in _outward(path) if each in classes] for path in classes}
    operators = _members(nodes, lambda node: node.scope, around)
    inside = _members(layers, lambda layer: layer.scope, around)
    held = _Held(graph, graph.source, around) if graph.source else None
    return [
        Module(
            path=path,
            class_name=kind,
            depth=len(around[path]) - 1,
            parameters=held.parameters(path) if held else sum(each.parameters for each in inside[path]),
            trainable_parameters=held.parameters(path, trainable=True) if held else None,
            buffers=held.buffers(path) if held else None,
            operators=len(operators[path]),
            **_costs(operators[path]),
            importance=_importance(inside[path]),
            weight_totals=part_totals(inside[path], "weight_metrics"),
            importance_totals=part_totals(inside[path], "metrics"),
            note="" if operators[path] else held.whereabouts(path) if held else "",
        )
        for path, kind in classes.items()
    ]


def _classes(source: SourceFacts | None, nodes: Sequence[Node]) -> dict[str, str]:
    """Class by path, outer modules first."""
    if source is not None:
        return {"": ""} | {each.name: each.class_name for each in source.modules}
    scopes = (path for node in nodes if node.scope for path in reversed([*_outward(node.scope)]))
    return dict.fromkeys(scopes, "")


def _outward(path: str) -> Iterator[str]:
    """The module itself, those around it, the model."""
    while path:
        yield path
        path = outer(path)
    yield ""


def _members(
    items: Iterable[T], scope: Callable[[T], str], around: Mapping[str, Sequence[str]]
) -> defaultdict[str, list[T]]:
    """Members of each module and in the modules in it."""
    members: defaultdict[str, list[T]] = defaultdict(list)
    for item in items:
        home = next((path for path in _outward(scope(item)) if path in around), None)
        for path in around[home] if home is not None else ():
            members[path].append(item)
    return members


def _costs(nodes: Sequence[Node]) -> dict[str, Any]:
    counted = [node for node in nodes if node.in_total]
    ran = all(node.status is not None for node in nodes)
    names = ("macs", "flops", "other_flops", "training_flops")
    sums = {name: sum(getattr(node, name) or 0 for node in counted) if ran else None for name in names}
    return {**sums, "unknown": sum(node.status == "unknown" for node in counted)}


def _importance(layers: Sequence[Layer]) -> float | None:
    known = [layer.importance for layer in layers if layer.importance is not None]
    return sum(known) if known else None


class _Held:
    """Counts that the source model says is in each module, and where that is in the graph."""

    def __init__(self, graph: ModelGraph, source: SourceFacts, around: Mapping[str, Sequence[str]]) -> None:
        every = (*source.parameters, *source.buffers)
        self._first = {each.name: each.shared_with or each.name for each in every}
        self._tensors = {each.name: each for each in every}
        self._buffers = {each.name for each in source.buffers}
        self._names = {
            path: {self._first[each.name]: None for each in members}
            for path, members in _members(every, lambda each: each.module, around).items()
        }
        self._readers: defaultdict[str, set[str]] = defaultdict(set)
        for stored, made_of in source.origins.items():
            for name in made_of:
                self._readers[self._first.get(name, name)] |= {node.scope for node in graph.consumers(stored)}

    def parameters(self, path: str, *, trainable: bool = False) -> int:
        """Elements of the parameters of a module and of those in it, each tensor once."""
        found = [self._tensors[name] for name in self._names.get(path, ()) if name not in self._buffers]
        return sum(each.size for each in found if each.trainable or not trainable)

    def buffers(self, path: str) -> int:
        """Elements of the buffers."""
        return sum(self._tensors[name].size for name in self._names.get(path, ()) if name in self._buffers)

    def whereabouts(self, path: str) -> str:
        """Finds where a module without operators is."""
        names = self._names.get(path, {})
        if not names:
            return "no operators"
        readers = sorted({scope for name in names for scope in self._readers.get(name, ())})
        return f"folded into {', '.join(readers)}" if readers else "not exported"
