"""Facts that a live model states of itself before it is exported: its own parameters and modules, by its own names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True, slots=True)
class SourceParameter:
    """A parameter as the framework counts it; ``shared_with`` is the name it was met under first, "" if it is new."""

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    shared_with: str = ""

    @property
    def size(self) -> int:
        """Elements; counted once, where ``shared_with`` is empty."""
        return prod(self.shape)

    @property
    def module(self) -> str:
        """The module or layer that holds it."""
        return outer(self.name)


def outer(name: str) -> str:
    """The module around a module or a parameter, "" for the model itself.

    >>> outer("encoder.layers.0"), outer("mlp/fc1/kernel"), outer("fc")
    ('encoder.layers', 'mlp/fc1', '')
    """
    return name.rpartition("/" if "/" in name else ".")[0]


@dataclass(frozen=True, slots=True)
class SourceModule:
    """A module or layer by its path in the model, with the class that it is of."""

    name: str
    class_name: str


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """``framework`` is ``pytorch`` or ``tensorflow``; buffers are parameters in nobody's gradient (running means).

    ``origins`` name the parameters and buffers that each stored tensor of the exported graph is made of.
    """

    framework: str
    parameters: tuple[SourceParameter, ...]
    modules: tuple[SourceModule, ...]
    buffers: tuple[SourceParameter, ...] = ()
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Elements of all parameters, shared ones once."""
        return sum(each.size for each in self.parameters if not each.shared_with)

    @property
    def trainable(self) -> int:
        """Those of them that train."""
        return sum(each.size for each in self.parameters if not each.shared_with and each.trainable)

    def modules_of(self) -> dict[str, tuple[str, ...]]:
        """Modules by stored tensor that hold what it is mostly made of, the first name's first."""
        names = self._names()
        return {
            stored: tuple(outer(name) for name in names.get(made_of[0], made_of[:1]))
            for stored, made_of in self.origins.items()
            if made_of
        }

    def frozen(self) -> frozenset[str]:
        """The stored tensors that are made of nothing that trains."""
        training = {each.shared_with or each.name for each in self.parameters if each.trainable}
        first = self._first()
        return frozenset(
            stored
            for stored, made_of in self.origins.items()
            if not any(first.get(name, name) in training for name in made_of)
        )

    def _first(self) -> dict[str, str]:
        """The name that each parameter was met under first."""
        return {each.name: each.shared_with or each.name for each in (*self.parameters, *self.buffers)}

    def _names(self) -> dict[str, list[str]]:
        """All names of the same tensor by each name, the first one first."""
        same: dict[str, list[str]] = {}
        for name, first in self._first().items():
            same.setdefault(first, []).append(name)
        return {name: same[first] for name, first in self._first().items()}


class Ledger:
    """Counts every parameter of a source once, at the first operator that has a tensor of it."""

    def __init__(self, facts: SourceFacts) -> None:
        self._facts = facts
        self._first = {each.name: each.shared_with or each.name for each in facts.parameters}
        self._left = {each.name: each.size for each in facts.parameters if not each.shared_with}
        named = {self._first.get(name, name) for made_of in facts.origins.values() for name in made_of}
        self._complete = set(self._left) <= named

    def main(self, stored: Iterable[str]) -> str | None:
        """The parameter or buffer that the tensors are mostly made of, None where nobody knows."""
        made_of = (self._facts.origins.get(name) for name in stored)
        return next((self._first.get(names[0], names[0]) for names in made_of if names), None)

    def taken(self, stored: Iterable[str], home: str, wanted: int) -> int | None:
        """Elements of parameters of the module ``home`` in the tensors, at most as many as wanted and not counted yet.

        None where that is not known; 0 where every parameter is known to be in other tensors.
        """
        made_of = [name for each in stored for name in self._facts.origins.get(each, ())]
        if not made_of:
            return 0 if self._complete else None
        taken = 0
        for name in dict.fromkeys(self._first.get(name, name) for name in made_of):
            share = min(self._left.get(name, 0), wanted - taken) if outer(name) == home else 0
            self._left[name] = self._left.get(name, 0) - share
            taken += share
        return taken
