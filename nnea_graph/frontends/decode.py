"""Parses the parts of a model's structure while watching how much memory that takes."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.limits import Limits

__all__ = ["DecodeError", "merged"]

_STATM = Path("/proc/self/statm")


def merged(parts: Iterable[bytes], limits: Limits) -> ModelProto:
    """The model that serialized partial models make together.

    Raises:
        ModelError: protobuf cannot parse one.
        LimitError: the parsed model takes more than ``limits.memory_bytes``.
    """
    model = ModelProto()
    before = _resident_bytes()
    for part in parts:
        _merge(model, part)
        if _resident_bytes() - before > limits.memory_bytes:
            raise LimitError(
                f"the model's structure takes more than {limits.memory_bytes:,} bytes of memory when parsed; "
                f"raise it with --limit memory_bytes=N"
            )
    return model


def _merge(model: ModelProto, part: bytes) -> None:
    try:
        model.MergeFromString(part)
    except DecodeError as error:
        raise ModelError(
            "protobuf cannot parse the model: it is damaged, or its messages are nested more than 100 deep; "
            "fetch or export it again"
        ) from error


def _resident_bytes() -> int:
    """Memory of the process without mapped files; where the system does not say, the highest so far."""
    try:
        _, resident, shared, *_ = _STATM.read_text().split()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return (int(resident) - int(shared)) * resource.getpagesize()
