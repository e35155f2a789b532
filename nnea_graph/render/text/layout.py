"""Lines of styled text: titles, named values, wrapped paragraphs and tables that fit a width."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from nnea_graph.render.sanitize import shorten

INDENT = 2
HEADER = 16
"""Where the words of a short label begin."""
_LABEL = 24
_VALUE = 10
_WORD = re.compile(r"[^ ]+(?: (?:[KMGTPE]?i?B|[KMGTPE%])[^\w ']*(?= |$))?")
"""A number keeps its unit on the same line."""
_ROOMY = 100
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of a table: a title of one or two lines; ``rank`` 0 stays, the highest goes first.

    ``tight`` columns of numbers stand closer to their left neighbor on narrow pages.
    """

    title: tuple[str, str]
    right: bool = True
    rank: int = 0
    widest: int = 40
    tight: bool = False


Row = Sequence[str] | Text
"""Cells, or a line of its own between the rows."""


def title(text: str, aside: str = "", *, width: int = 120) -> list[Text]:
    """A blank line and the name of a section."""
    words = Text(f"({aside})" if aside else "", "dim")
    return [Text(), *hanging(Text(f"{text} ", "bold"), words, width)]


def named(label: str, value: str, gloss: str = "", *, width: int, style: str = "") -> list[Text]:
    """``label  value  gloss``, the gloss wrapped under itself."""
    start = Text.assemble(" " * INDENT, label.ljust(_LABEL - INDENT), (value.rjust(_VALUE), style), "  ")
    return hanging(start, Text(gloss, "dim"), width)


def sentence(label: str, words: Text, *, width: int, start: int = _LABEL) -> list[Text]:
    """``label  words``, the words wrapped under themselves from cell ``start``."""
    return hanging(Text(" " * INDENT + label.ljust(start - INDENT)), words, width)


def hanging(start: Text, words: Text, width: int) -> list[Text]:
    """The words wrapped into the width to the right of the start, words too long for a line broken."""
    indent = start.cell_len
    lines = [_joined(line) for line in wrapped(words, max(12, width - indent))] or [Text()]
    first = start + lines[0]
    first.rstrip()
    return [first, *(Text(" " * indent) + line for line in lines[1:])]


def _joined(line: Text) -> Text:
    line.rstrip()
    return line


def wrapped(words: Text, width: int) -> list[Text]:
    """Lines of at most ``width`` cells, broken at spaces where there are some."""
    lines: list[Text] = []
    line, room = Text(), width
    for word in _words(words):
        size = word.cell_len
        if size > room and line:
            lines.append(line)
            line, room = Text(), width
        for piece in _pieces(word, width):
            if line and piece.cell_len > room:
                lines.append(line)
                line, room = Text(), width
            line += piece
            room -= piece.cell_len
        if room > 0:
            line += Text(" ")
            room -= 1
    return [*lines, line] if line else lines


def _words(words: Text) -> Iterator[Text]:
    return (words[found.start() : found.end()] for found in _WORD.finditer(words.plain))


def _pieces(word: Text, width: int) -> Iterator[Text]:
    """A word in pieces that fit; one piece is the rule."""
    if word.cell_len <= width:
        yield word
        return
    start, room = 0, width
    for place, character in enumerate(word.plain):
        room -= cell_len(character)
        if room < 0:
            yield word[start:place]
            start, room = place, width - cell_len(character)
    yield word[start:]


def bar(share: float, width: int) -> str:
    """A bar of ``width`` cells for the whole, to an eighth of a cell.

    >>> bar(0.5, 4), bar(0.01, 4)
    ('██', '▏')
    """
    full, rest = divmod(max(round(share * width * 8), 1 if share > 0 else 0), 8)
    return "█" * full + _EIGHTHS[rest].strip()


def fitting(columns: Sequence[TextColumn], rows: Sequence[Row], width: int, first: int) -> list[int]:
    """Places of the columns that fit beside a first column of ``first`` cells; least needed ones go."""
    taken = [_taken(column, rows, place, width) for place, column in enumerate(columns)]
    kept = list(range(1, len(columns)))
    while INDENT + first + sum(taken[place] for place in kept) > width:
        worst = max(kept, key=lambda place: (columns[place].rank, place))
        if columns[worst].rank == 0:
            break
        kept.remove(worst)
    return [0, *kept]


def first_width(columns: Sequence[TextColumn], rows: Sequence[Row], width: int) -> int:
    """Cells that the other columns leave to the first one."""
    others = sum(_taken(column, rows, place, width) for place, column in enumerate(columns) if place)
    return max(8, min(columns[0].widest, width - INDENT - others))


def _taken(column: TextColumn, rows: Sequence[Row], place: int, width: int) -> int:
    """Cells of a column and the gap before it."""
    return _size(column, rows, place) + _gap(column, width)


def _gap(column: TextColumn, width: int) -> int:
    """Numbers stand closer where there is little room."""
    return 1 if column.right and column.tight and width < _ROOMY else 2


def _size(column: TextColumn, rows: Sequence[Row], place: int) -> int:
    cells = [cell_len(row[place]) for row in rows if not isinstance(row, Text)]
    return min(max([*cells, *(len(line) for line in column.title)]), column.widest)


def table(columns: Sequence[TextColumn], rows: Sequence[Row], width: int) -> list[Text]:
    """Titles and rows; every column as wide as its widest cell, the first one within what is left."""
    sizes = [_size(column, rows, place) for place, column in enumerate(columns)]
    sizes[0] = min(sizes[0], first_width(columns, rows, width))
    gaps = [INDENT, *(_gap(column, width) for column in columns[1:])]
    heads = [_line(columns, sizes, gaps, [column.title[place] for column in columns]) for place in (0, 1)]
    for head in heads:
        head.stylize("dim")
    heads = [head for head in heads if head.plain.strip()]
    return [*heads, *(row if isinstance(row, Text) else _line(columns, sizes, gaps, row) for row in rows)]


def _line(
    columns: Sequence[TextColumn], sizes: Sequence[int], gaps: Sequence[int], cells: Sequence[str]
) -> Text:
    parts = []
    for column, size, gap, cell in zip(columns, sizes, gaps, cells, strict=True):
        short = shorten(cell, size)
        space = " " * (size - cell_len(short))
        parts.append(" " * gap + (space + short if column.right else short + space))
    return Text("".join(parts).rstrip())
