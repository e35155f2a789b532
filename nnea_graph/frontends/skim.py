"""Takes the large tensors out of a serialized ModelProto without reading them.

protobuf copies every weight when it parses a model. Here the wire format is walked first, and each large
tensor's data is replaced by an external-data entry that points into the model file itself. What is left for
protobuf to parse is the structure alone, and one reader serves inline and external tensors.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator

from onnx import TensorProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.decode import DecodeError
from nnea_graph.frontends.limits import Limits
from nnea_graph.frontends.text import shown
from nnea_graph.frontends.wire import BATCH, Walker, damage, field

MODEL, GRAPH, FUNCTION, TRAINING, NODE, ATTRIBUTE, SPARSE, TENSOR, OPAQUE = range(9)

# Field numbers of onnx.proto that lead to tensors; OPAQUE are messages that cannot, and have no reason to be
# large. Fields left out are strings and numbers, which protobuf keeps at about their own size.
_CHILDREN: dict[int, dict[int, int]] = {
    MODEL: {7: GRAPH, 8: OPAQUE, 14: OPAQUE, 20: TRAINING, 25: FUNCTION, 26: OPAQUE},
    GRAPH: {1: NODE, 5: TENSOR, 11: OPAQUE, 12: OPAQUE, 13: OPAQUE, 14: OPAQUE, 15: SPARSE, 16: OPAQUE},
    FUNCTION: {7: NODE, 9: OPAQUE, 11: ATTRIBUTE, 12: OPAQUE, 14: OPAQUE},
    TRAINING: {1: GRAPH, 2: GRAPH, 3: OPAQUE, 4: OPAQUE},
    NODE: {5: ATTRIBUTE, 9: OPAQUE, 10: OPAQUE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 14: OPAQUE, 15: OPAQUE, 22: SPARSE, 23: SPARSE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    TENSOR: {3: OPAQUE, 13: OPAQUE, 16: OPAQUE},
}
_GRAPH_FIELD = 7

# Little-endian IEEE numbers in a packed field are the same bytes as raw_data.
_BLOBS = {9: "raw_data", 4: "float_data", 10: "double_data"}
_VARINTS = {5: "int32_data", 7: "int64_data", 11: "uint64_data"}

Chunk = bytes | memoryview


class Skim:
    """One walk over a serialized model; ``marker`` is the location that its cut-out tensors are given.

    The marker is random, so that no file can contain it, and holds a NUL, so that no file can have its name.
    """

    def __init__(self, data: memoryview, limits: Limits) -> None:
        self.marker = f"\0model-file-{secrets.token_hex(16)}"
        self._data = data
        self._limits = limits
        self._walker = Walker(data, limits.fields)
        self._kept = 0

    def parts(self) -> Iterator[bytes]:
        """Serialized partial ModelProtos that merge into the model without its large tensors.

        They are about 1 MiB each, so that memory can be watched while they are parsed.

        Raises:
            ModelError: the file is not a serialized protobuf message, or is damaged; says at which byte.
            LimitError: the structure is over one of the limits.
        """
        start = 0
        for number, at, body, stop in self._walker.places(0, len(self._data)):
            yield from self._counted(self._data[start:at])
            start = stop
            if number == _GRAPH_FIELD:
                chunks, _ = self._rewritten(GRAPH, body, stop, 2)
                for batch in _batches(chunks):
                    yield from self._counted(field(number, batch))
            elif stop > at:
                yield from self._counted(self._child(MODEL, (number, at, body, stop), 1)[0])
        yield from self._counted(self._data[start:])

    def _counted(self, part: Chunk) -> Iterator[bytes]:
        """The part if it is not empty, once it is within the limit for all of them."""
        self._kept += len(part)
        self._check_kept(self._kept)
        if part:
            yield bytes(part)

    def _check_kept(self, size: int) -> None:
        if size > self._limits.message_bytes:
            raise LimitError(
                f"the model's structure without its large tensors takes more than "
                f"{self._limits.message_bytes:,} bytes; raise it with --limit message_bytes=N"
            )

    def _child(self, parent: int, place: tuple[int, int, int, int], depth: int) -> tuple[Chunk, bool]:
        """A large field with its tag, and whether anything was cut out of it."""
        number, at, body, stop = place
        kind = _CHILDREN[parent].get(number)
        if kind == TENSOR:
            cut = self._tensor(body, stop)
            return (self._data[at:stop], False) if cut is None else (field(number, cut), True)
        if kind is None or kind == OPAQUE:
            self._check_plain(kind, at, stop)
            return self._data[at:stop], False
        chunks, changed = self._rewritten(kind, body, stop, depth + 1)
        return (field(number, b"".join(chunks)), True) if changed else (self._data[at:stop], False)

    def _check_plain(self, kind: int | None, at: int, stop: int) -> None:
        """A field that holds no tensors: a message must not be large, a string may be."""
        self._check_kept(stop - at)
        if kind == OPAQUE and stop - at > self._limits.part_bytes:
            raise LimitError(
                f"one part without tensors, at byte {at:,}, takes {stop - at:,} bytes; "
                f"if that is right, raise it with --limit part_bytes=N"
            )

    def _rewritten(self, kind: int, start: int, end: int, depth: int) -> tuple[list[Chunk], bool]:
        """The fields of a message, in chunks of whole fields, and whether anything was cut out."""
        if depth > self._limits.nesting:
            raise LimitError(f"messages are nested more than {self._limits.nesting} deep; flatten the model")
        chunks: list[Chunk] = []
        kept = 0
        changed = False
        for place in self._walker.places(start, end):
            _, at, _, stop = place
            inner, cut = self._child(kind, place, depth) if stop > at else (b"", False)
            if not cut and at - start < BATCH:
                continue
            chunks += [self._data[start:at], inner]
            kept += at - start + len(inner)
            self._check_kept(kept)
            start = stop
            changed = changed or cut
        chunks.append(self._data[start:end])
        self._check_kept(kept + end - start)
        return chunks, changed

    def _tensor(self, start: int, end: int) -> bytes | None:
        """A TensorProto with its large data replaced by an entry that points at it; None if it has none."""
        kept: list[Chunk] = []
        blob: tuple[str, int, int] | None = None
        last = start
        for number, at, body, stop in self._walker.places(start, end):
            self._check_tensor_field(number, at, stop)
            if number not in _BLOBS:
                continue
            if blob:
                raise ModelError(f"the tensor at byte {start:,} holds its data twice; export the model again")
            blob = (_BLOBS[number], body, stop - body)
            kept.append(self._data[last:at])
            last = stop
        self._check_kept(end - last)
        kept.append(self._data[last:end])
        return self._pointed(b"".join(kept), blob, start) if blob else None

    def _check_tensor_field(self, number: int, at: int, stop: int) -> None:
        if number not in _BLOBS:
            self._check_plain(_CHILDREN[TENSOR].get(number), at, stop)
        if number in _VARINTS and stop - at > self._limits.typed_bytes:
            raise LimitError(
                f"the tensor at byte {at:,} has {stop - at:,} bytes of {_VARINTS[number]}; store it "
                f"as raw_data, or raise it with --limit typed_bytes=N"
            )

    def _pointed(self, kept: bytes, blob: tuple[str, int, int], start: int) -> bytes:
        """The rest of a tensor with the place of its data written as external data of the model file."""
        try:
            tensor = TensorProto.FromString(kept)
        except DecodeError as error:
            raise ModelError(damage(start)) from error
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(
                f"tensor {shown(tensor.name)} has data of its own and external data too; keep one"
            )
        name, offset, length = blob
        entries = {"location": self.marker, "offset": str(offset), "length": str(length), "field": name}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        tensor.data_location = TensorProto.EXTERNAL
        return bytes(tensor.SerializeToString())


def _batches(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The same bytes in pieces of about BATCH."""
    batch: list[Chunk] = []
    size = 0
    for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    # The last one is given even when empty: a graph that is there but empty is a graph.
    yield b"".join(batch)
