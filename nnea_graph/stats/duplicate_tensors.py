"""Tensors that are stored more than once: the same, in another shape, transposed, or times a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import Constant, Stored

FEWEST = 16
"""Elements below which tensors are alike by chance, and nothing is saved."""
FEWEST_SCALED = 64
_HEAD = 4096
"""Elements that tell most tensors apart."""
CLOSE = 1e-5
"""Of the largest element nearby: closer than this a tensor is another one times a number."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """``tensor`` is ``of`` once more: ``identical``, ``reshaped``, ``transposed``, or ``scaled`` by ``factor``.

    ``exact`` says that nothing at all would change if it went; ``bytes`` are what it takes.
    """

    tensor: str
    of: str
    kind: str
    bytes: int
    exact: bool = True
    factor: float = 1.0


def duplicates(constants: Iterable[Constant]) -> list[Duplicate]:
    """Every tensor that an earlier one could stand for, each once; only those are read that may have a twin."""
    found: list[Duplicate] = []
    for alike in _of_one_size(constants):
        first, others = _same_bytes(alike)
        found += others
        flipped = list(_transposed(first))
        gone = {each.tensor for each in flipped}
        found += flipped
        found += _scaled([each for each in first if each.name not in gone])
    return found


def _of_one_size(constants: Iterable[Constant]) -> Iterator[list[Constant]]:
    """Tensors of the same type and number of elements, stored apart, in the order of their sizes."""
    usable = [
        each for each in _stored_apart(constants) if each.size >= FEWEST and each.dtype.kind != "string"
    ]
    order = sorted(usable, key=lambda each: (each.dtype.code, each.size))
    for _, group in groupby(order, key=lambda each: (each.dtype.code, each.size)):
        members = list(group)
        if len(members) > 1:
            yield members


def _stored_apart(constants: Iterable[Constant]) -> Iterator[Constant]:
    """Tensors without those that are other names for the same bytes of the file."""
    seen = set()
    for each in constants:
        region = each.payload.region() if isinstance(each.payload, Stored) else None
        if region is None or region not in seen:
            seen.add(region)
            yield each


def _same_bytes(members: Sequence[Constant]) -> tuple[list[Constant], list[Duplicate]]:
    """The first of each content, and the others; only those that begin alike are read to their end."""
    heads = [_digest([each.payload.elements(0, min(each.size, _HEAD))]) for each in members]
    common = {head for head, count in Counter(heads).items() if count > 1}
    first: dict[bytes, Constant] = {}
    others: list[Duplicate] = []
    for each, head in zip(members, heads, strict=True):
        content = head + (_digest(each.chunks()) if head in common else b"")
        twin = first.setdefault(content, each)
        if twin is not each:
            kind = "identical" if twin.shape == each.shape else "reshaped"
            others.append(Duplicate(each.name, twin.name, kind, each.stored_bytes))
    return list(first.values()), others


def _digest(chunks: Iterable[NDArray[Any]]) -> bytes:
    found = blake2b(digest_size=16)
    for chunk in chunks:
        found.update(np.ascontiguousarray(chunk).tobytes())
    return found.digest()


def _transposed(members: Sequence[Constant]) -> Iterator[Duplicate]:
    kept: dict[tuple[float, ...], Constant] = {}
    for each in members:
        if len(each.shape) != 2 or 1 in each.shape:
            continue
        start, end, right, left = _corners(each)
        twin = kept.get((start, end, left, right))
        if twin is not None and _is_transpose(each, twin):
            yield Duplicate(each.name, twin.name, "transposed", each.stored_bytes)
        else:
            kept.setdefault((start, end, right, left), each)


def _corners(matrix: Constant) -> tuple[float, ...]:
    """First and last element, and those at the other two corners, which a transpose exchanges."""
    columns = matrix.shape[1]
    places = (0, matrix.size - 1, columns - 1, matrix.size - columns)
    return tuple(float(matrix.payload.elements(place, place + 1)[0]) for place in places)


def _is_transpose(one: Constant, other: Constant) -> bool:
    if one.shape != other.shape[::-1]:
        return False
    return np.array_equal(one.array(), other.array().T)


def _scaled(members: Sequence[Constant]) -> Iterator[Duplicate]:
    """Those that are another one of the same shape times a number."""
    floats = [each for each in members if each.dtype.kind == "float" and each.size >= FEWEST_SCALED]
    for _, group in groupby(sorted(floats, key=lambda each: each.shape), key=lambda each: each.shape):
        alike = list(group)
        yield from _multiples(alike) if len(alike) > 1 else ()


def _multiples(alike: Sequence[Constant]) -> Iterator[Duplicate]:
    kept: list[tuple[Constant, NDArray[np.float64]]] = []
    for each in alike:
        sample = _sample(each)
        peak = sample[np.abs(sample).argmax()]
        # Fills with one number and signs are alike too, and are not worth an operator.
        if not np.isfinite(sample).all() or peak == 0 or (np.abs(sample) == abs(peak)).all():
            continue
        form = sample / peak
        for other, seen in kept:
            if np.abs(form - seen / seen[np.abs(seen).argmax()]).max() > CLOSE:
                continue
            factor = float(peak / seen[np.abs(seen).argmax()])
            exact = _is_multiple(each, other, factor)
            if exact is not None:
                yield Duplicate(each.name, other.name, "scaled", each.stored_bytes, exact, factor)
                break
        else:
            kept.append((each, sample))


def _sample(constant: Constant) -> NDArray[np.float64]:
    """Some elements from all over the tensor."""
    places = np.linspace(0, constant.size - 1, FEWEST_SCALED).astype(np.int64)
    found = [constant.payload.elements(int(place), int(place) + 1)[0] for place in places]
    return np.array(found, np.float64)


def _is_multiple(each: Constant, other: Constant, factor: float) -> bool | None:
    """Tells whether exactly, or None where it is none at all."""
    exact = True
    for mine, theirs in zip(each.chunks(), other.chunks(), strict=True):
        made = theirs * mine.dtype.type(factor)
        if not np.abs(made - mine).max() <= CLOSE * np.abs(mine).max():
            return None
        exact = exact and bool((made == mine).all())
    return exact
