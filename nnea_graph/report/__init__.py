"""Facts on the graph as plain data: the report, its findings, its schema."""

from nnea_graph.report.schema.analysis import Report

__all__ = ["Report"]
