"""Reads the layers of Keras off the name scopes of a graph that does not know Keras any more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from nnea_graph.frontends.tf2onnx.name_scopes import is_call, nodes_of, outer, parts

_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class KerasScopes:
    """TensorFlow numbers a scope that it has met before.

    Keras 3 opens every scope twice, so that all are ``numbered``; older ones only number layers that are called again.
    ``known`` are words that layers are called by, ``root`` is the scope of the whole model, ``used`` are all names
    and scopes of the graph.
    """

    known: frozenset[str]
    root: str
    numbered: bool
    used: frozenset[str]

    @classmethod
    def of(cls, graph_def: Any, reads: Iterable[str], variables: Iterable[str]) -> KerasScopes:
        """Scopes from the operators that read variables, and what those were named when they were made."""
        paths = [found for read in reads if len(found := parts(read)) > 1]
        first = {path[0] for path in paths}
        whole = len(first) == 1 and any(len(path) > 2 for path in paths)
        outermost = [path[: 2 if whole and len(path) > 2 else 1] for path in paths]
        return cls(
            frozenset(word for name in variables for word in name.split("/")[:-1]),
            first.pop() if whole else "",
            all(_NUMBER.search(part) for found in outermost for part in found),
            frozenset(scope for node in nodes_of(graph_def) for scope in _prefixes(node.name.split("/"))),
        )

    def home(self, read: str, variable: str) -> str:
        """The path of the layer of a variable of that name, read by that operator."""
        names = [self._word(part) for part in self._layers_of(read)]
        made = variable.split("/")[:-1]
        if made[:1] == [_NUMBER.sub("", self.root)]:
            made = made[1:]
        # A layer that runs another one itself opens no scope for it.
        return "/".join(made if names and made[: len(names)] == names else names)

    def _layers_of(self, read: str) -> list[str]:
        """The scopes of layers around an operator that reads a variable."""
        found = self._below_root(parts(read))
        if self.numbered:
            scopes = self._opened(read.split("/"))
            return self._below_root([part for part, is_layer in scopes if is_layer])
        known = [place for place, part in enumerate(found) if self._word(part) in self.known]
        return found[: known[-1] + 1] if known else found[:-1]

    def _below_root(self, found: list[str]) -> list[str]:
        return found[1:] if self.root and found[:1] == [self.root] else found

    def _word(self, part: str) -> str:
        bare = _NUMBER.sub("", part)
        likely, other = (bare, part) if self.numbered else (part, bare)
        return other if other in self.known and likely not in self.known else likely

    def _opened(self, path: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """Each scope of a path, and whether a layer may have opened it.

        Functions of TensorFlow open scopes too: of several equal ones the first has no number.
        """
        for part, scope in zip(path, _prefixes(path), strict=True):
            bare = _NUMBER.sub("", scope)
            yield part, scope != bare and (bare not in self.used or _NUMBER.search(bare) is not None)

    def every(self, graph_def: Any, modules: Iterable[str]) -> dict[str, str]:
        """The layer of each scope of the graph; ``modules`` are those that hold variables.

        Layers without variables lie in what holds layers: the scopes further in are of operators.
        """
        holders = {""} | {inner[:at] for inner in modules for at, sign in enumerate(inner) if sign == "/"}
        scopes = dict.fromkeys(outer(node.name) for node in nodes_of(graph_def) if node.op != "Const")
        return {
            scope: layer
            for path in filter(None, scopes)
            for scope, layer in self._along(path.split("/"), holders)
        }

    def _along(self, path: Sequence[str], holders: set[str]) -> Iterator[tuple[str, str]]:
        """Every scope of a path, and the layer there."""
        layer, above = "", True
        for scope, (part, opened) in zip(_prefixes(path), self._opened(path), strict=True):
            if not is_call(part):
                likely = opened if self.numbered else self._likely(part, inside=bool(layer))
                if likely and layer in holders and not (above and part == self.root):
                    layer = f"{layer}/{self._word(part)}".lstrip("/")
                above = False
            yield scope, layer

    def _likely(self, part: str, *, inside: bool) -> bool:
        """Whether a scope without numbers is a layer's: those of operators begin with a capital, or lie in layers."""
        return self._word(part) in self.known or not (inside or part[:1].isupper())


def _prefixes(path: Sequence[str]) -> Iterator[str]:
    return accumulate(path, lambda before, part: f"{before}/{part}")
