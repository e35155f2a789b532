"""What a live model says of itself before it is exported: its own parameters and modules, by its own names."""

from __future__ import annotations

from collections.abc import Mapping
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
        return self.name.rpartition("/" if "/" in self.name else ".")[0]


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
