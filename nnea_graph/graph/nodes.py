"""Parts of the graph: operators, bodies and tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nnea_graph.graph.dtypes import DType

Dim = int | str | None
"""A number, a symbol, or not known."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Type and shape of a tensor; ``shape`` is None where not even the rank is known.

    ``static`` is the shape if every dim is a number, else None.
    """

    dtype: DType | None
    shape: tuple[Dim, ...] | None
    static: tuple[int, ...] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        dims = tuple(dim for dim in self.shape or () if isinstance(dim, int))
        known = self.shape is not None and len(dims) == len(self.shape)
        object.__setattr__(self, "static", dims if known else None)


@dataclass(frozen=True, slots=True, eq=False)
class OpNode:
    """One operator.

    ``inputs`` and ``outputs`` are tensor names of the whole graph; "" is an optional one left out.
    ``attributes`` holds Python values; tensors as ``Constant``; graphs are not among them: see ``bodies``.
    ``body`` is the path of the body the operator lies in, "" for the main graph.
    ``scope`` is the module of the source that it came from, "" where unknown.
    """

    id: str
    op_type: str
    domain: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    body: str = ""
    bodies: tuple[str, ...] = ()
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A subgraph of If, Loop, Scan or another operator with graph attributes.

    ``attribute`` is the graph attribute's name (``then_branch``, ``body`` …), ``owner`` the operator's id.
    ``alternative`` says that at most one of the owner's bodies runs. ``bound`` are the owner's inputs,
    ``outer`` the path of the body that the owner lies in.
    """

    path: str
    owner: str
    attribute: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    alternative: bool
    bound: tuple[str, ...] = ()
    outer: str = ""
