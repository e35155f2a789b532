"""Puts a pruned model to the test: is it sound, what does it give, what does it take, how fast is it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto

from nnea_graph.engine.data import Data
from nnea_graph.errors import RunError
from nnea_graph.frontends.onnx.graph import derived_graph
from nnea_graph.graph import ModelGraph
from nnea_graph.ops.int8_products import EXACT_PRODUCTS, is_quantized
from nnea_graph.report.schema.verification import RefitLayer, Verification
from nnea_graph.rewrite.verify.agreement import likeness_of
from nnea_graph.rewrite.verify.size import size_of
from nnea_graph.rewrite.verify.speedup import no_speedup, speed_of, unclear
from nnea_graph.rewrite.verify.validity import faults_of
from nnea_graph.runtime.export.large_models import file_bytes
from nnea_graph.runtime.export.to_onnx import Written, to_proto
from nnea_graph.runtime.session.session import Session, session_of

PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """``run_samples`` of the data are one run that is timed, ``rounds`` times for each model.

    ``threads`` are 1 and all that this process may use where none are given.
    """

    batch_size: int = 32
    run_samples: int = 1
    rounds: int = 30
    threads: Sequence[int] = ()


def verify(  # noqa: PLR0913, PLR0917 - the models, data, options, and what is only passed on
    original: ModelGraph,
    pruned: ModelProto,
    data: Data,
    rivals: Mapping[str, ModelProto] | None = None,
    options: VerifyOptions | None = None,
    layers: Sequence[RefitLayer] = (),
) -> Verification:
    """Measure a pruned model beside its original.

    Args:
        original: the model before, without facts or with them.
        pruned: the model now, as it is to be written.
        data: samples that nothing was fitted to or chosen by.
        rivals: other models of the same size by name, to be compared in what they give.
        options: how the latency is measured.
        layers: what became of each layer in the refit, to be reported with the rest.

    Raises:
        RunError: the original cannot be run.
        DataError: the data cannot be read.
    """
    options = options or VerifyOptions()
    graph = derived_graph(pruned, original)
    before, after = to_proto(original), Written(pruned)
    others = {PRUNED: pruned} | dict(rivals or {})
    sessions = {name: _loaded(model) for name, model in others.items()}
    likeness, samples = likeness_of(session_of(before), sessions, data.batches(options.batch_size))
    loads = isinstance(sessions.pop(PRUNED), Session)
    sessions.clear()  # each may hold the weights twice, and two more are timed
    timed = next(data.batches(options.run_samples))
    shapes = {name: np.shape(array) for name, array in timed.feeds.items()}
    sizes = (
        size_of(original, shapes, original.file.size_bytes),
        size_of(graph, shapes, file_bytes(pruned)),
    )
    faults = faults_of(original, graph, pruned)
    if likeness[1].reason != likeness[0].reason:
        faults.append(likeness[1].reason)
    threads = options.threads or sorted({1, _cores()})
    runs = loads and not faults
    speed = speed_of(before, after, timed.feeds, threads, options.rounds) if runs else []
    denied = no_speedup(before, sizes, timed.feeds, speed) if speed else "the pruned model is invalid"
    return Verification(
        data.source,
        data.synthetic,
        samples,
        faults,
        *sizes,
        likeness,
        timed.samples,
        speed,
        denied,
        "" if denied else unclear(speed),
        layers,
        EXACT_PRODUCTS if is_quantized(original) else "",
    )


def _loaded(model: ModelProto) -> Session | str:
    """A session, or why there is none."""
    try:
        return session_of(Written(model))
    except RunError as error:
        return str(error)


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
