"""A session whose chosen weights can be replaced for one run: one session serves all measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import Constant, ModelGraph, TensorInfo
from nnea_graph.graph.constants import ArrayPayload
from nnea_graph.graph.dtypes import storage
from nnea_graph.runtime.export.initializers import INLINE_BYTES, Mappings, inline, referred
from nnea_graph.runtime.export.node_emitter import Emitter
from nnea_graph.runtime.export.to_onnx import Written, to_proto, value_info
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.session import Session, Settings, session_of
from nnea_graph.static.constant_folding import loaded

Slot = tuple[str, int]
"""An operator's id and the place of one of its inputs."""

Arrays = Mapping[str, NDArray[Any]]

ALTERABLE = frozenset({"float16", "float32", "float64"})
"""Types of weights that can be replaced: those that numpy and onnxruntime hold alike."""


class WeightOverrideSession:
    """Runs a model with some weights replaced; ``originals`` are their own values, which nobody may write to.

    Each weight is an input of the model with its own value for default, so what is not replaced costs nothing:
    large weights stay where they lie in their file. A tensor that two operators share is replaced for one alone.
    """

    def __init__(
        self, graph: ModelGraph, weights: Mapping[Slot, Constant], settings: Settings | None = None
    ) -> None:
        """``weights`` are what the operators see, of the types ``ALTERABLE``.

        Raises:
            RunError: onnxruntime does not take the model.
        """
        settings = settings or Settings()
        written = to_proto(graph)
        emitter, mappings = Emitter(graph, written), Mappings()
        self.originals: dict[Slot, NDArray[Any]] = {}
        self._names: dict[Slot, str] = {}
        for slot, constant in weights.items():
            name = emitter.fresh()
            view = mappings.view(constant)
            values = _computed(constant) if view is None else view
            if view is not None:
                written.stored[name] = constant
            _add(written, name, constant, values, inside=view is None and settings.apart is not None)
            node, place = slot
            written.nodes[node].input[place] = name
            self.originals[slot], self._names[slot] = values, name
        _drop_unread(written)
        self._outputs = list(graph.outputs)
        self._session = _session(written, self._outputs, settings)

    def close(self) -> None:
        """End the other process, if there is one."""
        self._session.close()

    def run(
        self, feeds: Arrays, changed: Mapping[Slot, NDArray[Any]], seconds: float | None = None
    ) -> list[Any]:
        """The model's outputs with these weights in place of its own.

        Raises:
            RunError: the model cannot be run on the feeds, or the time is up.
        """
        replaced = {self._names[slot]: values for slot, values in changed.items()}
        return self._session.run({**feeds, **replaced}, self._outputs, seconds)


def _session(written: Written, outputs: list[str], settings: Settings) -> Session | IsolatedSession:
    if settings.apart:
        return IsolatedSession(written, outputs, settings.threads, settings.apart)
    return session_of(written, settings)


def _computed(constant: Constant) -> NDArray[Any]:
    """Values that cannot be mapped, computed once and kept."""
    return np.ascontiguousarray(loaded(constant).array(), storage(constant.dtype))


def _add(written: Written, name: str, constant: Constant, values: NDArray[Any], *, inside: bool) -> None:
    """An initializer that is an input as well is a default; ``inside`` puts its values into the model."""
    graph = written.proto.graph
    graph.input.append(value_info(name, TensorInfo(constant.dtype, constant.shape)))
    kept = Constant(name, constant.dtype, constant.shape, ArrayPayload(values.reshape(-1)), values.nbytes)
    if inside or values.nbytes <= INLINE_BYTES:
        graph.initializer.append(inline(kept))
        return
    written.arrays[name] = values
    graph.initializer.append(referred(kept))


def _drop_unread(written: Written) -> None:
    """Values given apart for a constant that nothing reads are an error to onnxruntime."""
    read = {name for node in written.nodes.values() for name in node.input}
    read |= {value.name for graph in written.graphs.values() for value in graph.output}
    unread = written.arrays.keys() - read
    initializers = written.proto.graph.initializer
    for place in reversed(range(len(initializers))):
        if initializers[place].name in unread:
            del initializers[place]
    for name in unread:
        del written.arrays[name]
        written.stored.pop(name, None)
