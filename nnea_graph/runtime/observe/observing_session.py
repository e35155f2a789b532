"""A session that gives the sums of its observed tensors in place of the tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import RunError
from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.runtime.export.body_outputs import Export, carry_out
from nnea_graph.runtime.export.node_emitter import Emitter
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.observe.channel_stats import Reduced, body_stats, main_stats, row_counts
from nnea_graph.runtime.observe.observable_tensors import subjects_of
from nnea_graph.runtime.observe.observations import ChannelStats, Collected, Kind, Observation, Types
from nnea_graph.runtime.observe.reductions import ObservedTensor, add_reductions
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.node_order import observing_session
from nnea_graph.runtime.session.session import Session, Settings

_UNKNOWN = TensorInfo(None, None)
_DOUBLE = 11  # TensorProto.DOUBLE
_JOINS = {"max": "Max", "shape": ""}


@dataclass(slots=True)
class _Watched:
    """An observation in the session: names of its values there, by what they are."""

    subject: ObservedTensor
    names: dict[str, str] = field(default_factory=dict)


class Observer:
    """Built once for a model and what is to be seen of it; ``refused`` says what cannot be, and why.

    ``types`` are those of all tensors at the sizes of some batch: ranks and element types are taken from there,
    and which shapes inference will know for other batches.
    """

    def __init__(
        self, graph: ModelGraph, observations: Iterable[Observation], types: Types, settings: Settings
    ) -> None:
        """Write the model, add the reductions, make the session.

        Raises:
            RunError: onnxruntime does not take the model.
        """
        written = to_proto(graph)
        emitter = Emitter(graph, written)
        subjects, self.refused = subjects_of(graph, observations, types, emitter.opset)
        self._watched = [_Watched(subject) for subject in subjects]
        self._add(graph, emitter)
        self._outputs = list(dict.fromkeys(name for seen in self._watched for name in seen.names.values()))
        present = {value.name for value in written.proto.graph.output}
        for name in self._outputs:
            if name not in present:
                written.proto.graph.output.add(name=name)
        self._session: Session | IsolatedSession
        if settings.apart:
            self._session = IsolatedSession(written, graph.outputs, settings.threads, settings.apart)
        else:
            self._session = observing_session(written, graph.outputs, settings)

    def close(self) -> None:
        """End the other process, if there is one."""
        self._session.close()

    @property
    def inferred(self) -> bool:
        """Tells whether ``run`` needs the types of all tensors at the sizes of its batch."""
        return any("shape" not in seen.names and not seen.subject.path for seen in self._watched)

    def run(self, feeds: Mapping[str, NDArray[Any]], types: Types, seconds: float | None = None) -> Collected:
        """Observations of what is seen of one batch, for whose sizes ``types`` must be.

        Raises:
            RunError: the model cannot be run on it, or the time is up.
        """
        values = dict(zip(self._outputs, self._session.run(feeds, self._outputs, seconds), strict=True))
        seen = Collected(refused=dict(self.refused), batches=1)
        for watched in self._watched:
            found = {piece: values[name] for piece, name in watched.names.items()}
            _note(seen, watched.subject, found, types)
        return seen

    def _add(self, graph: ModelGraph, emitter: Emitter) -> None:
        exports: dict[str, list[Export]] = {}
        for number, seen in enumerate(self._watched):
            if seen.subject.path:
                exports.setdefault(seen.subject.path, []).extend(
                    _exports(emitter, seen.subject, f"{number} ")
                )
            else:
                seen.names = _main_values(emitter, seen.subject)
        for key, name in carry_out(graph, emitter, exports).items():
            number_text, _, piece = key.partition(" ")
            self._watched[int(number_text)].names[piece] = name


def _main_values(emitter: Emitter, subject: ObservedTensor) -> dict[str, str]:
    """Values that leave the main graph: the reduced tensors, and the shape where inference does not know it."""
    tensor = subject.observation.tensor
    if subject.observation.kind is Kind.ROWS:
        return {"indices": emitter.op("", "Identity", [tensor])}
    names = add_reductions(emitter, subject)
    # A tensor that is so small that nothing was reduced may be an input, which cannot be an output too.
    names = {
        piece: emitter.op("", "Identity", [name]) if name == tensor else name for piece, name in names.items()
    }
    if subject.info.static is None:
        names["shape"] = emitter.op("", "Shape", [tensor])
    return names


def _exports(emitter: Emitter, subject: ObservedTensor, prefix: str) -> list[Export]:
    """Values that leave a body: totals in float64, one a channel, and the number of elements."""
    path, tensor = subject.path, subject.observation.tensor
    channels = np.zeros(() if subject.axis is None or subject.channels is None else subject.channels)
    exports = []
    for piece, name in add_reductions(emitter, subject).items():
        join = _JOINS.get(piece, "Add")
        exports.append(Export(prefix + piece, name, join, channels))
    size = emitter.op(path, "Cast", [emitter.op(path, "Size", [tensor])], to=_DOUBLE)
    exports.append(Export(f"{prefix}size", size, "Add", np.zeros(())))
    if subject.rank is not None:
        shape = emitter.op(path, "Shape", [tensor])
        exports.append(Export(f"{prefix}shape", shape, "", np.zeros(subject.rank, np.int64)))
    return exports


def _note(seen: Collected, subject: ObservedTensor, values: Reduced, types: Types) -> None:
    """Add what one run gave for one observation."""
    observation = subject.observation
    if "indices" in values:
        seen.rows[observation] = row_counts(values["indices"], observation.rows)
        seen.shapes[observation.tensor] = values["indices"].shape
        return
    shape = _shape(subject, values, types)
    if shape is not None:
        seen.shapes[observation.tensor] = shape
    stats = _stats(subject, values, shape)
    if stats is not None:
        seen.stats[observation] = stats


def _stats(subject: ObservedTensor, values: Reduced, shape: tuple[int, ...] | None) -> ChannelStats | None:
    if subject.path:
        return body_stats(values)
    if shape is None:
        raise RunError(
            f"the shape of tensor '{subject.observation.tensor}' is not known at the sizes of this batch; "
            "feed batches that differ in their number of samples only"
        )
    if subject.axis is None:
        channels: int | None = 1
    else:
        channels = values["abs"].shape[1] if subject.pooled else None
    reduced = {piece: array for piece, array in values.items() if piece != "shape"}
    return main_stats(reduced, channels, shape, means=subject.pooled)


def _shape(subject: ObservedTensor, values: Reduced, types: Types) -> tuple[int, ...] | None:
    """Shape as observed if it was, else as inferred; None if a body did not run."""
    if "shape" in values:
        observed = tuple(values["shape"].tolist())
        return None if subject.path and not values["size"] else observed
    if subject.path:
        return None
    return types.get(subject.observation.tensor, _UNKNOWN).static
