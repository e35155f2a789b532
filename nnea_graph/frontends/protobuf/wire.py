"""The protobuf wire format, walked without reading what the fields hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from nnea_graph.errors import LimitError, ModelError

LARGE = 4096
"""Bytes; a field up to that costs one step and is not looked into."""
BATCH = 1 << 20
"""Bytes between two empty places, at which the small fields of a message can be divided."""

Place = tuple[int, int, int, int]
"""A field: its number, where its tag starts, where its content starts and where that stops."""


class Walker:
    """Walks the messages of one file, all of them together at most ``fields`` steps."""

    def __init__(self, data: memoryview, fields: int) -> None:
        self._data = data
        self._fields = fields
        self._steps = fields

    def places(self, start: int, end: int) -> Iterator[Place]:
        """The large fields of the message there, and about every BATCH bytes an empty place of number 0.

        Raises:
            ModelError: the bytes are no message; says where.
            LimitError: the steps are used up.
        """
        try:
            yield from self._walk(start, end)
        except IndexError as error:
            raise ModelError(damage(end)) from error

    def _walk(self, pos: int, end: int) -> Iterator[Place]:  # noqa: C901 - one loop, for its speed
        """Same as ``places``; IndexError past the end of the data. About 0.15 microseconds a field."""
        data, steps, mark = self._data, self._steps, pos + BATCH
        while pos < end:
            at = pos
            tag = data[pos]
            pos += 1
            if tag >= 0x80:
                tag, pos = varint(data, at)
            wire = tag & 7
            if wire == 2:
                size = data[pos]
                pos += 1
                if size >= 0x80:
                    size, pos = varint(data, pos - 1)
                if size > end - pos:
                    raise ModelError(damage(at))
                pos += size
                if size > LARGE:
                    self._steps = steps
                    yield tag >> 3, at, pos - size, pos
                    steps = self._steps
            elif wire == 0:
                pos = _run(tag, at, data, end) or varint(data, pos)[1]
            elif wire in (1, 5):
                pos = _run(tag, at, data, end) or pos + (8 if wire == 1 else 4)
            else:
                raise ModelError(damage(at))
            steps -= 1
            if steps < 0 or tag < 8:
                self._stopped(at, tag)
            if pos > mark:
                mark = pos + BATCH
                yield 0, pos, pos, pos
        self._steps = steps
        if pos != end:
            raise ModelError(damage(end))

    def _stopped(self, at: int, tag: int) -> None:
        if tag < 8:
            raise ModelError(damage(at))
        raise LimitError(
            f"the large messages have more than {self._fields:,} fields; raise it with --limit fields=N"
        )


@cache
def _runs() -> dict[int, re.Pattern[bytes]]:
    """Runs of one unpacked number after the other (the ints of an attribute), by tag.

    Tree ensembles have millions; stepping over each would take longer than parsing them.
    """
    shapes = {0: rb"[\x80-\xff]*+[\x00-\x7f]", 1: rb"[\x00-\xff]{8}", 5: rb"[\x00-\xff]{4}"}
    ints, floats = [(8, 0), (1, 0), (5, 0), (7, 0), (11, 0)], [(7, 5), (4, 5), (10, 1)]
    tags = {number << 3 | wire: shapes[wire] for number, wire in ints + floats}
    # Possessive, or the matcher would remember a way back for every number.
    return {tag: re.compile(b"(?:" + re.escape(bytes([tag])) + one + b")++") for tag, one in tags.items()}


def _run(tag: int, at: int, data: memoryview, end: int) -> int:
    """Finds where a run of fields of that tag ends (after BATCH bytes at most); 0 where the tag makes no runs."""
    pattern = _runs().get(tag)
    match = pattern.match(data, at, min(end, at + BATCH)) if pattern else None
    return match.end() if match else 0


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number that starts there, and where it ends; ModelError past ten bytes."""
    value = shift = 0
    pos = at
    while shift < 70:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7
    raise ModelError(damage(at))


def damage(at: int) -> str:
    """Message on bytes that are no message."""
    return f"no ONNX model, or a damaged or incomplete one (at byte {at:,}); fetch or export it again"
