"""A model that is analyzed more than once: read anew each time, exported anew only where it must be."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto

from nnea_graph.errors import naming
from nnea_graph.frontends.resolve import (
    Shapes,
    convert,
    described,
    graph_of_converted,
    load_found,
    made_up,
    resolve,
    whole,
)
from nnea_graph.frontends.shared.interface import ConvertedModel, Example, InputSpec
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph

if TYPE_CHECKING:
    from nnea_graph.runtime.export_parity import Parity
    from nnea_graph.runtime.open_data import Spec


class LiveModel:
    """Any source, resolved once; ``graph`` gives its graph with the weights that it has at that time.

    ``framework`` is ``pytorch``, ``tensorflow`` or ``onnx``. ``parity`` says how near the last export came to the
    source itself, None before the first one and for ONNX models.

    Args:
        source: path, ``package.module:callable``, ``file.py:callable``, ModelProto or live model.
        framework: ``auto``, or what the source must be.
        limits: how large a model may be.
        allow_external: folder that links to external data may lead to.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """

    def __init__(
        self,
        source: object,
        framework: str = "auto",
        *,
        limits: Limits | None = None,
        allow_external: Path | None = None,
    ) -> None:
        self._found = resolve(source, framework)
        self._limits = limits
        self._allow_external = allow_external
        self._last: tuple[Hashable, ConvertedModel] | None = None
        self.framework = self._found.framework
        self.parity: Parity | None = None

    def graph(
        self, data: Spec | None = None, *, input_shapes: Shapes | None = None, preprocess: str | None = None
    ) -> ModelGraph:
        """The model as it is now.

        A live model is exported at the first call, with an example made up of ``input_shapes`` (by input, "" for the
        only one) or taken from ``data``; later calls without either use that export. It is compared with the source
        each time: where it does not do the same, the graph has a note that says so.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        if self._found.frontend is None:
            return load_found(self._found, self._limits, self._allow_external)
        example = self._example(data, input_shapes, preprocess)
        kind = _kind(example)
        again = self._again(kind)
        if again is not None:
            graph = self._compared(again)
            if self.parity and self.parity.agrees:
                return graph
        converted = convert(self._found, example)
        self._last = kind, converted
        return self._compared(converted)

    def exported(
        self, data: Spec | None = None, *, input_shapes: Shapes | None = None, preprocess: str | None = None
    ) -> ModelProto:
        """The ONNX model that ``graph`` is of, with the source's own facts in its metadata.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        converted = convert(self._found, self._example(data, input_shapes, preprocess))
        self._compared(converted)
        return converted.proto

    def written(
        self, data: Spec | None = None, *, input_shapes: Shapes | None = None, preprocess: str | None = None
    ) -> ModelProto:
        """The whole ONNX model, a live one exported; what refers to external data still does.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        if self._found.frontend is None:
            return whole(self._found)
        return self.exported(data, input_shapes=input_shapes, preprocess=preprocess)

    def _again(self, kind: Hashable) -> ConvertedModel | None:
        """The last export with new weights; None where the example is of another kind, or more has changed."""
        if self._last is None or kind not in {None, self._last[0]}:
            return None
        again = self._last[1].again
        converted = again() if again is not None else None
        return described(converted) if converted is not None else None

    def _compared(self, converted: ConvertedModel) -> ModelGraph:
        from nnea_graph.runtime.export_parity import compared  # noqa: PLC0415 - only live models need it

        graph, self.parity = compared(graph_of_converted(converted, self._found, self._limits), converted)
        return graph

    def _example(
        self, data: Spec | None, input_shapes: Shapes | None, preprocess: str | None
    ) -> Example | None:
        if input_shapes:
            return made_up(input_shapes)
        frontend = self._found.frontend
        if data is None or frontend is None:
            return None  # a file is not read twice where nobody needs the names
        from nnea_graph.runtime.export_examples import example_of  # noqa: PLC0415 - only live models need it

        with naming(self._found.name):
            names = frontend.input_names(self._found.value)
        return example_of(data, names, preprocess) if names else None


def _kind(example: Example | None) -> Hashable:
    """Key that a new export depends on: names, types and dims of the parts, but for the number of samples."""
    if example is None:
        return None
    if isinstance(example, Mapping):
        return tuple((name, _kind(part)) for name, part in example.items())
    if isinstance(example, tuple | list) and not all(isinstance(each, int | float) for each in example):
        return tuple(_kind(part) for part in example)
    if isinstance(example, InputSpec):
        return example.dtype, example.dims[1:]
    return str(getattr(example, "dtype", type(example))), tuple(np.shape(example))[1:]
