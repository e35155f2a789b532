"""A model as one file, or as two: the model, and its weights in external data beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onnx import ModelProto, TensorProto

from nnea_graph.frontends.protobuf.chunks import without
from nnea_graph.runtime.export.initializers import external
from nnea_graph.runtime.export.large_models import apart_tensors, tensor_bytes

_LEAST = 1024
"""Bytes above which a weight goes into the file of weights."""
_PAGE = 4096
"""Weights begin at multiples of it, so that runtimes can map them."""


@dataclass(frozen=True, slots=True)
class TwoFiles:
    """``model`` is written as it is, ``pieces()`` one after the other into the file that it names."""

    model: ModelProto
    weights: Mapping[str, TensorProto]

    def pieces(self) -> Iterator[bytes]:
        """The content of the second file, a weight at a time."""
        end = 0
        for tensor in self.weights.values():
            yield bytes(-end % _PAGE)
            yield tensor.raw_data
            end += -end % _PAGE + tensor_bytes(tensor)


def in_two_files(model: ModelProto, location: str) -> TwoFiles:
    """Model with the weights of the main graph in a file of this name, beside that of the model."""
    weights = apart_tensors(model, _LEAST)
    referring, end = [], 0
    for tensor in weights.values():
        start = end + -end % _PAGE
        end = start + tensor_bytes(tensor)
        referring.append(external(tensor, location, start, tensor_bytes(tensor)))
    return TwoFiles(without(model, weights, referring), weights)
