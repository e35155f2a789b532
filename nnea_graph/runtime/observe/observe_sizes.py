"""Runs a model once and reads what inference cannot tell: shapes of tensors, and how often bodies run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.export.body_outputs import Export, carry_out, unreachable
from nnea_graph.runtime.export.node_emitter import Emitter
from nnea_graph.runtime.export.to_onnx import to_proto
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.node_order import observing_session
from nnea_graph.runtime.session.session import Session, Settings


@dataclass(frozen=True, slots=True)
class ObservedSizes:
    """``shapes`` of tensors of the main graph; ``runs`` of each body in one run of the model, by its path."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)


def observe_sizes(
    graph: ModelGraph,
    asked: tuple[Sequence[str], Sequence[str]],
    feeds: Mapping[str, NDArray[Any]],
    settings: Settings,
    seconds: float,
) -> ObservedSizes:
    """Returns what one run shows of the tensors and bodies ``asked`` for; bodies without a way out are left out.

    Raises:
        RunError: onnxruntime cannot load or run the model, or the time is up.
    """
    tensors, bodies = asked
    written = to_proto(graph)
    emitter = Emitter(graph, written)
    names = {("shape", tensor): emitter.op("", "Shape", [tensor]) for tensor in tensors}
    one, zero = emitter.constant(np.ones((), np.float64)), np.zeros(())
    exports = {
        path: [Export(path, emitter.op(path, "Identity", [one]), "Add", zero)]
        for path in bodies
        if not unreachable(graph, path)
    }
    names |= {("runs", path): name for path, name in carry_out(graph, emitter, exports).items()}
    for name in names.values():
        written.proto.graph.output.add(name=name)
    session: Session | IsolatedSession
    if settings.apart:
        session = IsolatedSession(written, graph.outputs, settings.threads, settings.apart)
    else:
        session = observing_session(written, graph.outputs, settings)
    try:
        values = dict(zip(names, session.run(feeds, list(names.values()), seconds), strict=True))
    finally:
        session.close()
    return ObservedSizes(
        {name: tuple(value.tolist()) for (kind, name), value in values.items() if kind == "shape"},
        {path: int(value) for (kind, path), value in values.items() if kind == "runs"},
    )
