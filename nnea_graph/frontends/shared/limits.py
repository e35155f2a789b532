"""Limits on the size of untrusted models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from nnea_graph.errors import UsageError

GIB = 1 << 30
MIB = 1 << 20

# Above these, protobuf's parser and numpy's arrays stop by themselves.
_CEILINGS = {"nesting": 100, "rank": 64}


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of reading a model; each is set by ``--limit name=number``."""

    file_bytes: int = 64 * GIB
    """Bytes of the model file and of all its external data files together."""
    message_bytes: int = 512 * MIB
    """Bytes of the model's structure: everything but the large tensors, which stay in their files."""
    memory_bytes: int = 768 * MIB
    """Bytes of memory that the parsed structure may take (tiny messages grow seventyfold when parsed)."""
    fields: int = 5_000_000
    """Fields stepped over in the large messages of the file (a node of the main graph is one)."""
    typed_bytes: int = 64 * MIB
    """Bytes of numbers of one tensor or attribute outside raw_data; they can grow eightfold when parsed."""
    part_bytes: int = 4 * MIB
    """Bytes of one part that holds neither tensors nor text: the type of one value, one quantization note."""
    nodes: int = 2_000_000
    """Operators in the whole graph, bodies and inlined functions included."""
    function_nodes: int = 1_000_000
    """Operators that come out of inlining the model's functions."""
    nesting: int = 100
    """Messages, bodies or functions inside each other; protobuf reads no more than 100."""
    rank: int = 64
    """Dims of a tensor; numpy has no more than 64."""
    sparse_elements: int = 1 << 28
    """Elements of a sparse tensor, the zeros that are not stored included."""
    sharing: int = 8
    """Times that the tensors together may exceed the external files they share (free below 1 GiB)."""
    activation_bytes: int = 4 * GIB
    """Bytes of activations of one run of the model."""
    pruned_bytes: int = 2 * GIB
    """Bytes of the weights of a model that is pruned: memory for up to 15 times as many is taken."""

    def __post_init__(self) -> None:
        for name, value in self.items():
            highest = _CEILINGS.get(name)
            if value < 1 or (highest and value > highest):
                allowed = f"1 to {highest}" if highest else "1 or more"
                raise UsageError(f"--limit {name}={value}: must be {allowed}")

    def items(self) -> list[tuple[str, int]]:
        """Name and value of each limit."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    @classmethod
    def with_text(cls, texts: Iterable[str]) -> Limits:
        """The default limits with some replaced, each given as ``name=number``.

        >>> Limits.with_text(["nodes=10"]).nodes
        10

        Raises:
            UsageError: a limit that does not exist or is not a whole number, naming those that exist.
        """
        return cls(**dict(_entry(text) for text in texts))


def _entry(text: str) -> tuple[str, int]:
    """Name and value of ``name=number``."""
    name, _, number = text.partition("=")
    known = [field.name for field in fields(Limits)]
    if name not in known:
        raise UsageError(f"--limit {text!r}: no such limit; there are {', '.join(known)}")
    if not (number.isascii() and number.replace("_", "").isdigit() and len(number) < 20):
        raise UsageError(f"--limit {text!r}: write it as {name}=NUMBER with a whole number")
    return name, int(number.replace("_", ""))
