"""Parses the parts of a model's structure while watching how much memory that takes."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import ModelProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.shared.limits import Limits

__all__ = ["CLOSE", "DecodeError", "Step", "built"]

CLOSE = None
Step = bytes | int | None
"""Serialized fields for the message that is open, a field's number to open a message in it, or CLOSE."""

_WATCHED = 1 << 20
_STATM = Path("/proc/self/statm")


def built(steps: Iterable[Step], limits: Limits) -> ModelProto:
    """The model that the steps build up, with an eye on memory: tiny messages grow seventyfold.

    Raises:
        ModelError: protobuf cannot parse a part.
        LimitError: the parsed model takes more than ``limits.memory_bytes``.
    """
    model = ModelProto()
    open_messages: list[Message] = [model]
    before, unwatched = _resident_bytes(), 0
    for step in steps:
        if step is CLOSE:
            open_messages.pop()
        elif isinstance(step, int):
            open_messages.append(_opened(open_messages[-1], step))
        else:
            _merge(open_messages[-1], step)
            unwatched += len(step)
        if unwatched >= _WATCHED:
            unwatched = 0
            _check_memory(_resident_bytes() - before, limits)
    return model


def _opened(parent: Message, number: int) -> Message:
    """The message in that field: a further one of a repeated field, the only one of a single field."""
    name = parent.DESCRIPTOR.fields_by_number[number].name
    place = getattr(parent, name)
    if not isinstance(place, Message):
        return place.add()
    place.SetInParent()
    return place


def _merge(message: Message, part: bytes) -> None:
    try:
        message.MergeFromString(part)
    except DecodeError as error:
        raise ModelError(
            "protobuf cannot parse the model: it is damaged, or its messages are nested more than 100 deep; "
            "fetch or export it again"
        ) from error


def _check_memory(used: int, limits: Limits) -> None:
    if used > limits.memory_bytes:
        raise LimitError(
            f"the model's structure takes more than {limits.memory_bytes:,} bytes of memory when parsed; "
            f"raise it with --limit memory_bytes=N"
        )


def _resident_bytes() -> int:
    """Memory of the process without mapped files; where the system does not say, the highest so far."""
    try:
        _, resident, shared, *_ = _STATM.read_text().split()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return (int(resident) - int(shared)) * resource.getpagesize()
