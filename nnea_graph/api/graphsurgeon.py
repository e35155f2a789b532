"""Graphs of onnx-graphsurgeon with the facts of a report at their nodes, on to a toolchain and back to ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnea_graph.report.schema.analysis import Report
from nnea_graph.rewrite.annotate import surgeon_graph, written_facts
from nnea_graph.runtime.live_model import LiveModel

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs
    from onnx import ModelProto  # noqa: TID251 - a type


def to_graphsurgeon(model: object, report: Report) -> gs.Graph:
    """A model as a ``gs.Graph`` whose nodes say what they cost: ``node.nnea_graph["macs"]``.

    The graph has the totals, ``graph.nnea_graph["macs"]``. What is not known stands under ``"unknown"``,
    with the reason. The facts stay at the nodes while the graph is edited, sorted and cleaned up; they are of the model
    as it was.

    Args:
        model: what ``report`` is of: an ``onnx.ModelProto``, the path of an ``.onnx`` file, an ``onnx_ir.Model``.
        report: what ``analyze`` found.

    Raises:
        NneaError: the report is of another model, or onnx-graphsurgeon cannot read this one.
    """
    return surgeon_graph(LiveModel(model, "onnx").written(), report)


def export_graphsurgeon(graph: gs.Graph) -> ModelProto:
    """A ``gs.Graph`` as an ONNX model, with the facts of the nodes that are left in its metadata, as ``annotate`` does.

    Raises:
        ModelError: onnx-graphsurgeon cannot write it.
    """
    return written_facts(graph)
