"""The name scopes of a frozen graph of TensorFlow, and what reads each variable in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?|Func")
_READ = re.compile(r"/ReadVariableOp(_\d+)?$")
_INLINED = "Func/"


def is_call(part: str) -> bool:
    """Tells whether a part of a path stands for the call of a function whose operators are there in its place.

    >>> is_call("StatefulPartitionedCall_1")
    True
    """
    return _CALL.fullmatch(part) is not None


def parts(path: str) -> list[str]:
    """The parts of a path that do not stand for calls.

    >>> parts("StatefulPartitionedCall/mlp_1/hidden_1/MatMul")
    ['mlp_1', 'hidden_1', 'MatMul']
    """
    return [part for part in path.split("/") if part and not is_call(part)]


def outer(path: str) -> str:
    """The path without its last part."""
    return path.rpartition("/")[0]


def nodes_of(graph_def: Any) -> Iterator[Any]:
    """Those of the graph and of its functions, but for what is left of calls."""
    bodies = (function.node_def for function in graph_def.library.function)
    for nodes in (graph_def.node, *bodies):
        yield from (node for node in nodes if not node.name.startswith(_INLINED))


def reads_of(graph_def: Any, places: Iterable[str]) -> dict[str, list[str]]:
    """Operators by constant of the graph that use it, by their names, the likeliest to lie in its layer first."""
    readers: dict[str, list[Any]] = {}
    for node in graph_def.node:
        for name in node.input:
            if not name.startswith("^"):
                readers.setdefault(name.partition(":")[0], []).append(node)
    found = {place: sorted(_reads(place, readers), key=lambda read: not read[0]) for place in places}
    return {place: list(dict.fromkeys(name for _, name in reads)) for place, reads in found.items()}


def _reads(name: str, readers: Mapping[str, Sequence[Any]]) -> Iterator[tuple[bool, str]]:
    """With whether a read of a variable tells it: what takes the variable without one is a loop around the layer.

    TensorFlow reads in the scope of the operator that wants the value.
    """
    for node in readers.get(name, ()):
        if _READ.search(node.name):
            yield True, outer(node.name)
        elif node.op == "Identity":
            yield from _reads(node.name, readers)
        else:
            yield False, node.name
