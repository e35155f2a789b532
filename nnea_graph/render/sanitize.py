"""Names out of untrusted files, made inert for a terminal, and short enough for a column."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile

from rich.cells import cell_len

_LONGEST = 2000
_MOST_MARKS = 2
"""Accents on one letter; more are a tower that covers other lines."""
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that print as nothing."""


def inert(name: str) -> str:
    r"""One line that a terminal only shows: what does not print is written as Python escapes it.

    >>> inert("a\x1b[2Jb\u202e\n")
    'a\\x1b[2Jb\\u202e\\n'
    """
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}"
    if name.isascii() and name.isprintable():
        return name
    return "".join(_escaped(name))


def _escaped(name: str) -> Iterable[str]:
    marks = _MOST_MARKS  # a name does not begin with one: it would sit on the character before
    for character in name:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        hidden = not character.isprintable() or character in _BLANKS or marks > _MOST_MARKS
        yield character.encode("unicode_escape").decode("ascii") if hidden else character


def shorten(name: str, width: int) -> str:
    """The first and the last characters around an ellipsis, at most ``width`` (>= 1) cells.

    >>> shorten("encoder.layers.0.linear1.MatMul", 15)
    'encoder….MatMul'
    """
    return cut(name, width, (width - 1) // 2)


def cut(name: str, width: int, head: int) -> str:
    """Same as ``shorten``, with ``head`` cells before the ellipsis and the rest after it."""
    if cell_len(name) <= width:
        return name
    return f"{_first(name, head)}…{_first(name[::-1], width - 1 - head)[::-1]}"


def _first(name: str, width: int) -> str:
    if name.isascii():
        return name[:width]
    taken, room = 0, width
    for character in name:
        room -= cell_len(character)
        if room < 0:
            break
        taken += 1
    return name[:taken]


def shorten_all(names: Sequence[str], width: int) -> list[str]:
    """Each name in at most ``width`` cells, different names staying different.

    Tried in turn until all fit and no two look alike: without the path that all share, one place for the
    ellipsis in all names, parts of a path cut to their first letters, numbers at the end.
    """
    if all(cell_len(name) <= width for name in names):
        return list(names)
    bare = without_shared_path(names)
    middle = (width - 1) // 2
    for head in sorted(range(width // 3, width - width // 4), key=lambda head: abs(head - middle)):
        found = [cut(name, width, head) for name in bare]
        if len(set(found)) == len(set(names)):
            return found
    found = [shorten(_abbreviated(name, width), width) for name in bare]
    return found if len(set(found)) == len(set(names)) else _numbered(bare, width)


def without_shared_path(names: Sequence[str]) -> Sequence[str]:
    """Names with ``…/`` in place of the leading parts that all names have in common; ``layers.0`` stays together."""
    pairs = zip(min(names, default=""), max(names, default=""), strict=False)
    shared = "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    length = max(shared.rfind("/"), shared.rfind("."))
    if any(name[length + 1 : length + 2].isdigit() for name in names):
        length = max(shared.rfind("/", 0, length), shared.rfind(".", 0, length))
    return [f"…{name[length:]}" for name in names] if length > 1 and len(set(names)) > 1 else names


def _abbreviated(name: str, width: int) -> str:
    """``encoder.layer.0.output.dense`` as ``enc.lay.0.out.dense``: as many letters a part as there is room for."""
    *parts, last = name.replace("/", ".").split(".")
    for letters in range(12, 1, -1):
        short = ".".join([*(part[:letters] for part in parts), last])
        if cell_len(short) <= width:
            return short
    return name


def _numbered(names: Sequence[str], width: int) -> list[str]:
    numbers = {name: place for place, name in enumerate(dict.fromkeys(names), 1)}
    tail = len(f"~{len(numbers)}")
    return [f"{shorten(name, width - tail)}~{numbers[name]}" for name in names]
