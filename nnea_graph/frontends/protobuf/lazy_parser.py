"""Takes the large tensors out of a serialized ModelProto without reading them.

protobuf copies every weight when it parses a model. Here the wire format is walked first, and each large
tensor's data is replaced by an external-data entry that points into the model file itself. What is left for
protobuf to parse is the structure alone, and one reader serves inline and external tensors.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from onnx import TensorProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.bounded_parser import CLOSE, DecodeError, Step
from nnea_graph.frontends.protobuf.strings import shown
from nnea_graph.frontends.protobuf.wire import Place, Walker, damage
from nnea_graph.frontends.shared.limits import Limits

MODEL, GRAPH, FUNCTION, TRAINING, NODE, ATTRIBUTE, ENTRY, SPARSE, TENSOR, OPAQUE = range(10)

# Field numbers of onnx.proto that lead to tensors, or to strings (ENTRY, a key with its value); OPAQUE are
# other messages, which have no reason to be large. Fields left out are strings and numbers.
_CHILDREN: dict[int, dict[int, int]] = {
    MODEL: {7: GRAPH, 8: OPAQUE, 14: ENTRY, 20: TRAINING, 25: FUNCTION, 26: OPAQUE},
    GRAPH: {1: NODE, 5: TENSOR, 11: OPAQUE, 12: OPAQUE, 13: OPAQUE, 14: OPAQUE, 15: SPARSE, 16: ENTRY},
    FUNCTION: {7: NODE, 9: OPAQUE, 11: ATTRIBUTE, 12: OPAQUE, 14: ENTRY},
    TRAINING: {1: GRAPH, 2: GRAPH, 3: ENTRY, 4: ENTRY},
    NODE: {5: ATTRIBUTE, 9: ENTRY, 10: OPAQUE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 14: OPAQUE, 15: OPAQUE, 22: SPARSE, 23: SPARSE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    ENTRY: {},
    TENSOR: {3: OPAQUE, 13: OPAQUE, 16: OPAQUE},
}

# Little-endian IEEE numbers in a packed field are the same bytes as raw_data.
_BLOBS = {9: "raw_data", 4: "float_data", 10: "double_data"}
_FORGOTTEN = 16 << 20

_NUMBERS = {TENSOR: {5, 7, 11}, ATTRIBUTE: {7, 8}}


class LazyParse:
    """One walk over a serialized model; ``marker`` is the location that its cut-out tensors are given.

    The marker is random, so that no file can contain it, and holds a NUL, so that no file can have its name.
    ``forget`` is called now and then: what has been walked over need not stay in memory.
    """

    def __init__(self, data: memoryview, limits: Limits, forget: Callable[[], None] = lambda: None) -> None:
        self.marker = f"\0model-file-{secrets.token_hex(16)}"
        self._data = data
        self._limits = limits
        self._walker = Walker(data, limits.fields)
        self._kept = 0
        self._forget = forget
        self._skipped = 0

    def steps(self) -> Iterator[Step]:
        """Tells how to build the model without its large tensors; see ``decode.built``.

        Raises:
            ModelError: the file is not a serialized protobuf message, or is damaged; says at which byte.
            LimitError: the structure is over one of the limits.
        """
        return self._steps(MODEL, 0, len(self._data), 1)

    def _steps(self, kind: int, start: int, end: int, depth: int) -> Iterator[Step]:
        """The small fields of a message in batches, its large ones opened, filled and closed."""
        if depth > self._limits.nesting:
            raise LimitError(f"messages are nested more than {self._limits.nesting} deep; flatten the model")
        small = 0
        for number, at, body, stop in self._walker.places(start, end):
            small += at - start
            self._check_numbers(kind, small, at)
            yield self._counted(self._data[start:at])
            start = stop
            if number:
                yield from self._large(kind, (number, at, body, stop), depth)
        yield self._counted(self._data[start:end])

    def _large(self, parent: int, place: Place, depth: int) -> Iterator[Step]:
        """A large field of a message."""
        number, at, body, stop = place
        kind = _CHILDREN[parent].get(number, OPAQUE)
        if kind == TENSOR:
            yield number
            yield self._counted(self._tensor(body, stop))
            yield CLOSE
        elif kind == OPAQUE:
            self._check_plain(parent, number, at, stop)
            yield self._counted(self._data[at:stop])
        else:
            yield number
            yield from self._steps(kind, body, stop, depth + 1)
            yield CLOSE

    def _counted(self, part: bytes | memoryview) -> bytes:
        """The part, once it is within the limit for all of them."""
        self._kept += len(part)
        self._check_kept(self._kept)
        return bytes(part)

    def _check_kept(self, size: int) -> None:
        if size > self._limits.message_bytes:
            raise LimitError(
                f"the model's structure without its large tensors takes more than "
                f"{self._limits.message_bytes:,} bytes; raise it with --limit message_bytes=N"
            )

    def _check_plain(self, parent: int, number: int, at: int, stop: int) -> None:
        """A large field that holds no tensors: a string may be as large as it likes, nothing else."""
        if number in _NUMBERS.get(parent, ()):
            self._check_numbers(parent, stop - at, at)
        if number in _CHILDREN[parent] and stop - at > self._limits.part_bytes:
            raise LimitError(
                f"one part without tensors, at byte {at:,}, takes {stop - at:,} bytes; "
                f"if that is right, raise it with --limit part_bytes=N"
            )

    def _check_numbers(self, kind: int, size: int, at: int) -> None:
        """Numbers of variable length, or with a tag each, take more memory than bytes."""
        if kind in _NUMBERS and size > self._limits.typed_bytes:
            raise LimitError(
                f"a tensor or attribute near byte {at:,} has more than {self._limits.typed_bytes:,} bytes of "
                f"numbers outside raw_data; store them as raw_data, or raise it with --limit typed_bytes=N"
            )

    def _tensor(self, start: int, end: int) -> bytes:
        """A TensorProto with its large data, if it has any, replaced by an entry that points at it."""
        kept: list[memoryview] = []
        blob: tuple[str, int, int] | None = None
        small = 0
        for number, at, body, stop in self._walker.places(start, end):
            small += at - start
            self._check_numbers(TENSOR, small, at)
            kept.append(self._data[start:at])
            start = stop
            if number not in _BLOBS:
                self._check_plain(TENSOR, number, at, stop)
                kept.append(self._data[at:stop])
            elif blob:
                raise ModelError(
                    f"the tensor before byte {end:,} holds its data twice; export the model again"
                )
            else:
                blob = (_BLOBS[number], body, stop - body)
        kept.append(self._data[start:end])
        self._check_kept(sum(len(part) for part in kept))
        rest = b"".join(kept)
        return self._pointed(rest, blob, end) if blob else rest

    def _skip(self, length: int) -> None:
        self._skipped += length
        if self._skipped >= _FORGOTTEN:
            self._skipped = 0
            self._forget()

    def _pointed(self, kept: bytes, blob: tuple[str, int, int], end: int) -> bytes:
        """The rest of a tensor with the place of its data written as external data of the model file."""
        try:
            tensor = TensorProto.FromString(kept)
        except DecodeError as error:
            raise ModelError(damage(end)) from error
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(
                f"tensor {shown(tensor.name)} has data of its own and external data too; keep one"
            )
        name, offset, length = blob
        self._skip(length)
        entries = {"location": self.marker, "offset": str(offset), "length": str(length), "field": name}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        tensor.data_location = TensorProto.EXTERNAL
        return bytes(tensor.SerializeToString())
