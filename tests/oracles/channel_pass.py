"""The channel graph of a model in memory, by the passes that it stands on."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto

from nnea_graph.api.analyze import load
from nnea_graph.channels.build.build import build_channels
from nnea_graph.channels.graph import ChannelGraph
from nnea_graph.channels.rule_context.model_view import Activations
from nnea_graph.engine import run_passes
from nnea_graph.graph import ModelGraph
from nnea_graph.passes.channels import sight_of
from nnea_graph.passes.constants import ConstantsPass
from nnea_graph.passes.shape_inference import ShapeInferencePass


def prepared(model: ModelProto | Path) -> ModelGraph:
    graph = load(model)
    failed = [
        r.reason for r in run_passes(graph, [ShapeInferencePass(), ConstantsPass()]) if r.status != "ok"
    ]
    if failed:
        raise AssertionError(failed)
    return graph


def channels_of(model: ModelProto | Path, activations: Activations | None = None) -> ChannelGraph:
    return build_channels(sight_of(prepared(model), activations))
