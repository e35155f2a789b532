"""``annotate``: what a report says of a model, kept in the model."""

from __future__ import annotations

from typing import TypeVar

from nnea_graph.frontends.shared.interface import derives_from
from nnea_graph.report.schema.analysis import Report

Annotated = TypeVar("Annotated")


def annotate(model: Annotated, report: Report) -> Annotated:
    """Write the facts of a report into the metadata of the model that it is of.

    Keys begin with ``nnea_graph.``, values are JSON: the model has the totals and dims, each node its MACs, FLOPs,
    bytes and status, with weights also parameters, utilization and the like; ``nnea_graph.unknown`` says why others
    are not known. Facts of an earlier report are replaced. No analysis reads them.

    Args:
        model: an ``onnx.ModelProto``, an ``onnx_ir.Model``, the ``torch.onnx.ONNXProgram`` that
            ``torch.onnx.export`` gives, or a ``gs.Graph`` of onnx-graphsurgeon, whose nodes have no metadata: they and
            the graph get a dict ``nnea_graph`` of the facts, which stays with them while the graph is edited and which
            ``nnea_graph.export_graphsurgeon`` writes. It is changed in place.
        report: what ``analyze`` found of this model.

    Returns:
        The model.

    Raises:
        UsageError: the report is of another model, or this is none that has metadata.
    """
    from nnea_graph.rewrite.annotate import annotated  # noqa: PLC0415 - start-up

    program = derives_from(model, "torch.onnx.ONNXProgram")
    annotated(model.model if program else model, report)  # type: ignore[attr-defined]
    return model
