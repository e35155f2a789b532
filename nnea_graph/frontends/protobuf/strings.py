"""Strings out of untrusted files."""

from __future__ import annotations

from nnea_graph.errors import LimitError, ModelError

_LONGEST = 64 * 1024
_SHOWN = 80


def text(value: str | bytes, where: str) -> str:
    """A string field of a protobuf message as text; ``where`` says whose it is.

    Raises:
        ModelError: it is not UTF-8.
        LimitError: it is longer than any name needs to be.
    """
    if len(value) > _LONGEST:
        raise LimitError(f"{where} is longer than {_LONGEST:,} characters, which no name needs; shorten it")
    # protobuf hands out bytes, without an exception, where a string is not valid UTF-8.
    if isinstance(value, bytes):
        raise ModelError(f"{where} is not valid UTF-8: {shown(value)}; export the model again")
    return value


def shown(value: str | bytes) -> str:
    """A name in quotes for a message: one line, at most 80 characters, nothing that a terminal obeys."""
    short = value[:_SHOWN]
    tail = "…" if len(value) > _SHOWN else ""
    return ascii(short) + tail if isinstance(short, bytes) else _quoted(short) + tail


def _quoted(value: str) -> str:
    """Text in single quotes; what does not print as Python escapes it."""
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in value) + "'"
