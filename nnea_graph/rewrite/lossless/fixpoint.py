"""Takes out what changes nothing, until nothing more is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from onnx import ModelProto

from nnea_graph.engine import RunContext, run_passes
from nnea_graph.engine.pipeline import complete, parse
from nnea_graph.errors import ModelError
from nnea_graph.frontends.onnx.graph import derived_graph
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.passes.channels import CHANNELS
from nnea_graph.passes.shape_inference import DIMS
from nnea_graph.report.schema.lossless import ExactFamily, ExactTensor
from nnea_graph.rewrite.coupling.index_space import Axis, Indices
from nnea_graph.rewrite.lossless.channels import without_channels
from nnea_graph.rewrite.lossless.duplicate_tensors import without_duplicates
from nnea_graph.rewrite.lossless.selection import KINDS
from nnea_graph.rewrite.surgery.prune_indices import pruned
from nnea_graph.runtime.export.large_models import file_bytes

MOST = 16
"""Rounds; each takes something out, and what a deep chain of layers frees is seen in one of them already."""

Progress = Callable[[str], None]


@dataclass(slots=True)
class Reduced:
    """A smaller model with the indices that are left of the original's; what went, and what is held in the end."""

    model: ModelProto
    kept: dict[Axis, Indices] = field(default_factory=dict)
    families: dict[str, ExactFamily] = field(default_factory=dict)
    tensors: list[ExactTensor] = field(default_factory=list)
    rounds: int = 0


def reduced(graph: ModelGraph, patterns: Sequence[str], progress: Progress) -> Reduced:
    """Model without everything that changes nothing, but channels of layers that ``patterns`` name.

    Shared tensors tie the channels of those that read them, and channels that went may leave tensors unlike: where
    there are both, both orders are tried, and the smaller model is taken.
    """
    shapes = {name: info.static for name, info in graph[DIMS].inputs.items() if info.static is not None}
    orders = [True, False] if without_duplicates(graph).model is not None else [True]
    found = [_repeated(graph, shapes, patterns, progress, channels_first=order) for order in orders]
    return min(found, key=lambda each: file_bytes(each.model))


def _repeated(
    graph: ModelGraph,
    shapes: Mapping[str, tuple[int, ...]],
    patterns: Sequence[str],
    progress: Progress,
    *,
    channels_first: bool,
) -> Reduced:
    found = Reduced(pruned(graph, {}))
    channels = channels_first
    idle = 0
    while idle < 2 and found.rounds < MOST:
        progress(f"exact removals: round {found.rounds + 1}")
        graph = _with_facts(graph, shapes)
        model = _channels(found, graph, patterns) if channels else _tensors(found, graph)
        channels = not channels
        idle = 0 if model is not None else idle + 1
        if model is not None:
            found.rounds, found.model = found.rounds + 1, model
            graph = derived_graph(model, graph)
    return found


def _with_facts(graph: ModelGraph, shapes: Mapping[str, tuple[int, ...]]) -> ModelGraph:
    if CHANNELS not in graph:
        passes = complete(parse("channels"), catalogue(), may_run=False)
        results = run_passes(graph, passes, RunContext(input_shapes=shapes))
        failed = next((each for each in results if each.status != "ok"), None)
        if failed is not None:
            raise ModelError(
                f"pass '{failed.name}' {failed.status}: {failed.reason}; nothing can be told to be exact"
            )
    return graph


def _channels(found: Reduced, graph: ModelGraph, patterns: Sequence[str]) -> ModelProto | None:
    step = without_channels(graph, patterns)
    for axis, stay in step.kept.items():
        before = found.kept.pop(axis, None)
        if before is None:
            found.kept[axis] = stay
        elif before.ndim < 2 or stay.ndim < 2 or len(before) == len(stay):
            # Otherwise groups of a convolution have gone: what is left cannot be told by this axis alone, and
            # ``Plan.apply_to`` will find that the module is another one.
            found.kept[axis] = _then(before, stay)
    found.families = _added(found.families, step.families)
    return step.model


def _then(before: Indices, now: Indices) -> Indices:
    """Indices: what is left of the original's indices; lists for each group of a convolution have two axes."""
    if before.ndim == 1:
        return before[now]
    return before[:, now] if now.ndim == 1 else np.take_along_axis(before, now, 1)


def _tensors(found: Reduced, graph: ModelGraph) -> ModelProto | None:
    joined = without_duplicates(graph)
    found.tensors = [*(each for each in found.tensors if not each.reason), *joined.gone, *joined.held]
    return joined.model


def _added(before: Mapping[str, ExactFamily], now: Sequence[ExactFamily]) -> dict[str, ExactFamily]:
    """Counts of all rounds together; what is held is what the last one says."""
    found = {name: replace(each, held={}) for name, each in before.items()}
    for each in now:
        old = found.get(each.family)
        if old is None:
            found[each.family] = each
        else:
            counts = {kind: getattr(old, kind) + getattr(each, kind) for kind in KINDS}
            found[each.family] = replace(old, **counts, held=each.held)
    return {
        name: each for name, each in found.items() if each.held or any(getattr(each, kind) for kind in KINDS)
    }
