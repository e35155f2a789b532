"""Opens an ONNX file: its structure parsed, its weights left where they are."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from onnx import ModelProto, SparseTensorProto, TensorProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.bounded_parser import built
from nnea_graph.frontends.protobuf.chunks import pieces
from nnea_graph.frontends.protobuf.external_data import ExternalFiles
from nnea_graph.frontends.protobuf.file_signatures import foreign_format
from nnea_graph.frontends.protobuf.lazy_parser import LazyParse
from nnea_graph.frontends.protobuf.random_access_file import OPEN_FLAGS, DataFile, NotRegularError
from nnea_graph.frontends.protobuf.strings import shown, text
from nnea_graph.frontends.protobuf.tensors import TensorReader
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import Constant

__all__ = ["OnnxFile", "read_onnx", "shown", "text"]

_HASHED = 1 << 20


class OnnxFile:
    """A model whose large tensors are still in their files.

    ``proto`` is the model without them (they carry an external-data entry that only this object can follow);
    ``path`` is where it was read from, ``limits`` what it was read under. Files close when neither this object nor a
    constant of it is held.
    """

    def __init__(self, path: Path, proto: ModelProto, reader: TensorReader, external: ExternalFiles) -> None:
        self.path = path
        self.proto = proto
        self.limits = reader.limits
        self._reader = reader
        self._external = external

    @classmethod
    def from_proto(
        cls,
        proto: ModelProto,
        limits: Limits | None = None,
        folder: Path | None = None,
        allow_external: Path | None = None,
    ) -> OnnxFile:
        """A model in memory; external data is read only if ``folder`` says where it is."""
        limits = limits or Limits()
        _check_graph(proto)
        external = ExternalFiles(folder, allow_external, limits)
        return cls(Path("<memory>"), proto, TensorReader(limits, external), external)

    def constant(self, tensor: TensorProto, name: str) -> Constant:
        """One of the model's tensors as a constant; see ``TensorReader.constant``."""
        return self._reader.constant(tensor, name)

    def sparse_constant(self, tensor: SparseTensorProto, name: str) -> Constant:
        """One of the model's sparse tensors as a constant; see ``TensorReader.sparse_constant``."""
        return self._reader.sparse_constant(tensor, name)

    @property
    def external_locations(self) -> tuple[str, ...]:
        """The files beside the model that have been opened so far, as the model names them."""
        return tuple(self._external.opened)

    @property
    def size_bytes(self) -> int:
        """Bytes of the model file and of the external data files opened so far."""
        own = self._reader.own
        inside = own.size if own else sum(int(each.ByteSize()) for each in pieces(self.proto))
        return inside + self._external.size_bytes

    def sha256(self) -> str:
        """Hash of the model file, in hexadecimal digits; of the serialized model, in pieces, if it is in memory."""
        own, digest = self._reader.own, hashlib.sha256()
        if own is None:
            for piece in pieces(self.proto):
                digest.update(piece.SerializeToString(deterministic=True))
            return digest.hexdigest()
        for start in range(0, own.size, _HASHED):
            digest.update(own.read(start, min(_HASHED, own.size - start)).data)
        return digest.hexdigest()

    def close(self) -> None:
        """Close the files; constants that are still in them can no longer be read."""
        for file in (self._reader.own, *self._external.opened.values()):
            if file is not None:
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_onnx(path: Path | str, limits: Limits | None = None, allow_external: Path | None = None) -> OnnxFile:
    """Open an ONNX file; links to external data may end in the folder ``allow_external`` and nowhere else.

    Raises:
        ModelError: it cannot be read or is no ONNX model; one line that begins with the path.
        LimitError: it is over one of the limits.
    """
    path, limits = Path(path), limits or Limits()
    try:
        return _read(path, limits, allow_external)
    except ModelError as error:
        raise type(error)(f"{_line(path)}: {error}") from error


def _read(path: Path, limits: Limits, allow_external: Path | None) -> OnnxFile:
    own = _own_file(path)
    if own.size == 0:
        raise ModelError("the file is empty; fetch or export it again")
    if own.size > limits.file_bytes:
        raise LimitError(
            f"the file has {own.size:,} bytes, over {limits.file_bytes:,} (--limit file_bytes=N)"
        )
    hint = foreign_format(own.read(0, min(own.size, 64)).tobytes())
    if hint:
        raise ModelError(f"this is {hint}")
    proto, marker = _parsed(own, limits)
    _check_graph(proto)
    external = ExternalFiles(path.parent, allow_external, limits, own.size)
    return OnnxFile(path, proto, TensorReader(limits, external, own, marker), external)


def _own_file(path: Path) -> DataFile:
    try:
        return DataFile(os.open(path, OPEN_FLAGS), f"the model file {_line(path)}")
    except NotRegularError as error:
        raise ModelError(
            f"this is {error.kind}; give the .onnx file itself, or the folder of a SavedModel: it holds saved_model.pb"
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this cannot be a path"
        raise ModelError(f"cannot be opened: {reason}; check the path and its permissions") from error


def _parsed(own: DataFile, limits: Limits) -> tuple[ModelProto, str]:
    """The model without its large tensors, and the location that those have been given."""
    # Not closed by hand: while an error is on its way up, its traceback still holds slices of the map.
    mapped = mmap.mmap(own.descriptor, own.size, access=mmap.ACCESS_READ)
    skim = LazyParse(memoryview(mapped), limits, lambda: _unmap_pages(mapped))
    return built(skim.steps(), limits), skim.marker


def _unmap_pages(mapped: mmap.mmap) -> None:
    """Touching one byte of a cached file can make megabytes around it count as resident."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _check_graph(proto: ModelProto) -> None:
    if not proto.HasField("graph"):
        raise ModelError("there is no graph in it, so it is no ONNX model; fetch or export it again")


def _line(path: Path) -> str:
    """A path for a message: as it is if that is one printable line."""
    return str(path) if str(path).isprintable() else shown(str(path))
