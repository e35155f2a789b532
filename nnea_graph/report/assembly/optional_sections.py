"""Parts of the report that belong to one pass: they are described, and what they need imported, where it has run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nnea_graph.graph import Key, ModelGraph
from nnea_graph.report.schema.analysis import Finding, Layer

if TYPE_CHECKING:
    from nnea_graph.report.schema.pathways import ChannelCoverage, Pathways
    from nnea_graph.report.schema.quantization import ModelQuantization
    from nnea_graph.report.schema.redundancy import ModelRedundancy
    from nnea_graph.report.schema.sensitivity import ModelSensitivity


@dataclass(frozen=True, slots=True)
class Parts:
    """``layers`` have theirs; ``findings`` are those of the parts, ``lossless`` those of what goes for nothing.

    None where the pass did not run.
    """

    layers: Sequence[Layer]
    channels: ChannelCoverage | None = None
    pathways: Pathways | None = None
    sensitivity: ModelSensitivity | None = None
    quantization: ModelQuantization | None = None
    redundancy: ModelRedundancy | None = None
    lossless: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()


def parts_of(graph: ModelGraph, layers: Sequence[Layer]) -> Parts:
    """Parts of the passes that have left facts."""
    found = Parts(layers)
    for fact, describe in PARTS.items():
        if Key[object](fact) in graph:
            found = describe(graph, found)
    return found


def _channels(graph: ModelGraph, found: Parts) -> Parts:
    from nnea_graph.report.sections.pathways import channel_coverage, pathways_of, with_flows  # noqa: PLC0415 - start-up

    return replace(
        found,
        layers=with_flows(graph, found.layers),
        channels=channel_coverage(graph),
        pathways=pathways_of(graph),
    )


def _redundancy(graph: ModelGraph, found: Parts) -> Parts:
    from nnea_graph.report.findings.redundancy import lossless_findings, parallel_findings  # noqa: PLC0415
    from nnea_graph.report.sections.redundancy import model_redundancy, with_redundancy  # noqa: PLC0415 - start-up

    layers = with_redundancy(graph, found.layers)
    model = model_redundancy(graph)
    return replace(
        found,
        layers=layers,
        redundancy=model,
        lossless=tuple(lossless_findings(model, layers)),
        findings=(*found.findings, *parallel_findings(layers)),
    )


def _sensitivity(graph: ModelGraph, found: Parts) -> Parts:
    from nnea_graph.report.findings.sensitivity import sensitivity_findings  # noqa: PLC0415
    from nnea_graph.report.sections.sensitivity import model_sensitivity, with_sensitivity  # noqa: PLC0415 - start-up

    layers = with_sensitivity(graph, found.layers)
    model = model_sensitivity(graph, layers)
    return replace(
        found,
        layers=layers,
        sensitivity=model,
        findings=(*found.findings, *sensitivity_findings(model, layers)),
    )


def _quantization(graph: ModelGraph, found: Parts) -> Parts:
    from nnea_graph.report.findings.quantization import quantization_findings  # noqa: PLC0415
    from nnea_graph.report.sections.quantization import (  # noqa: PLC0415 - start-up
        model_quantization,
        with_quantization,
    )

    layers, model = with_quantization(graph, found.layers), model_quantization(graph)
    return replace(
        found,
        layers=layers,
        quantization=model,
        findings=(*found.findings, *quantization_findings(model, layers)),
    )


PARTS = {
    "channels": _channels,
    "model_redundancy": _redundancy,
    "model_sensitivity": _sensitivity,
    "model_quantization": _quantization,
}
"""By the name of a fact of the model: its key would import the pass."""
