"""A model as it was exported once: its structure, and where the values of its constants come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from nnea_graph.errors import ModelError
from nnea_graph.frontends.provenance.derivations import Derivation, Values
from nnea_graph.graph.model import Note
from nnea_graph.graph.source_facts import SourceFacts

_MOST_BYTES = 2_000_000_000
"""Of a model in memory: protobuf writes no message of 2 GiB."""


@dataclass(frozen=True, slots=True)
class Exported:
    """``skeleton`` is the model without the values that ``recipes`` make.

    ``lasting`` says that the recipes make every weight, so that new weights need no new export; ``reason`` why
    they do not.
    """

    skeleton: ModelProto
    recipes: Mapping[str, Derivation]
    lasting: bool
    reason: str = ""
    notes: tuple[Note, ...] = ()

    def filled(self, values: Values) -> ModelProto:
        """The model with what the source's tensors hold now.

        Raises:
            ModelError: it is too large for a model in memory.
        """
        held = sum(values[name].nbytes for recipe in self.recipes.values() for name in recipe.names[:1])
        if held > _MOST_BYTES:
            raise ModelError(
                f"{held:,} bytes of weights do not fit a model in memory; export it to a file with external data "
                "(torch.onnx.export(…, external_data=True)) and give that"
            )
        proto = ModelProto()
        proto.CopyFrom(self.skeleton)
        for tensor in proto.graph.initializer:
            recipe = self.recipes.get(tensor.name)
            if recipe is not None:
                tensor.raw_data = _little(recipe.make(values)).tobytes()
        return proto

    def origins(self, facts: SourceFacts) -> dict[str, tuple[str, ...]]:
        """The source's tensors in each constant: by recipe, else by a name and size that are those of one."""
        sizes = {each.name: each.size for each in (*facts.parameters, *facts.buffers)}
        found = {
            name: (name,)
            for name, size in ((each.name, _size(each)) for each in self.skeleton.graph.initializer)
            if sizes.get(name) == size
        }
        return found | {name: recipe.names for name, recipe in self.recipes.items()}


def _size(tensor: TensorProto) -> int:
    return int(np.prod(tensor.dims))


def _little(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.byteorder != ">" else array.astype(array.dtype.newbyteorder("<"))


def emptied(proto: ModelProto, names: Mapping[str, Derivation]) -> ModelProto:
    """The model without the values of these initializers."""
    for tensor in proto.graph.initializer:
        if tensor.name in names:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
            tensor.ClearField("double_data")
    return proto


def float_constants(proto: ModelProto) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and values of the initializers of 32 and 64 bits."""
    for tensor in proto.graph.initializer:
        if tensor.data_type in {TensorProto.FLOAT, TensorProto.DOUBLE}:
            yield tensor.name, numpy_helper.to_array(tensor)
