"""A model in memory in parts that protobuf can write: one message is 2 GiB at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from onnx import ModelProto, TensorProto

_MESSAGE_BYTES = 2_000_000_000
"""Of a message, at most; protobuf's own limit is a little higher."""


def pieces(proto: ModelProto) -> Iterator[ModelProto | TensorProto]:
    """The model itself; where its weights are more than a message, the rest of it and then each of them."""
    weights = {each.name: each for each in proto.graph.initializer if each.HasField("raw_data")}
    if sum(len(each.raw_data) for each in weights.values()) <= _MESSAGE_BYTES:
        yield proto
        return
    yield without(proto, weights)
    yield from weights.values()


def without(
    proto: ModelProto, apart: Mapping[str, TensorProto], instead: Iterable[TensorProto] = ()
) -> ModelProto:
    """A copy without these initializers, with others in the place of all of them; their values are not copied."""
    found = ModelProto()
    _copy_fields(proto, found, "graph")
    _copy_fields(proto.graph, found.graph, "initializer")
    found.graph.initializer.extend(each for each in proto.graph.initializer if each.name not in apart)
    found.graph.initializer.extend(instead)
    return found


def _copy_fields(source: Any, target: Any, but: str) -> None:
    for field, value in source.ListFields():
        if field.name == but:
            continue
        if isinstance(value, str | bytes | int | float):
            setattr(target, field.name, value)
        elif hasattr(value, "CopyFrom"):
            getattr(target, field.name).CopyFrom(value)
        else:
            getattr(target, field.name).extend(value)
