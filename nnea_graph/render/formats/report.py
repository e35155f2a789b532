"""Formats of a report: one table for ``--format``, for ``nnea-graph formats`` and for ``render``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.report.audit.check import ModelAudit
from nnea_graph.report.schema.analysis import Report


@dataclass(frozen=True, slots=True)
class Rendering:
    """Input of a format; ``graph`` is None where there is only a report that was read."""

    report: Report
    audit: ModelAudit
    top: int = 10
    verbose: bool = False
    graph: ModelGraph | None = None


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """A format: its usual file name, what reads it, and how it is made."""

    name: str
    file: str
    about: str
    pieces: Callable[[Rendering], Iterable[str]]
    needs_graph: bool = False


def _text(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.text.report import render_text  # noqa: PLC0415 - rich costs 0.1 s

    return [render_text(given.report, top=given.top, verbose=given.verbose, verdict=given.audit.verdict)]


def _json(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.json import json_pieces  # noqa: PLC0415 - as above

    return json_pieces(given.report)


def _html(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.web.page import render_page  # noqa: PLC0415 - jinja2 costs 0.1 s

    return [render_page(given.report, given.audit.verdict)]


def _markdown(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.markdown import render_markdown  # noqa: PLC0415 - only where asked for

    return [render_markdown(given.audit, given.report)]


def _layers(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.csv_tables import layer_table  # noqa: PLC0415 - only where asked for

    return [layer_table(given.report)]


def _operators(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.csv_tables import operator_table  # noqa: PLC0415 - only where asked for

    return [operator_table(given.report)]


def _sarif(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.ci.sarif import render_sarif  # noqa: PLC0415 - only where asked for

    return [render_sarif([given.audit])]


def _junit(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.ci.junit import render_junit  # noqa: PLC0415 - only where asked for

    return [render_junit([given.audit])]


def _gitlab(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.ci.gitlab import render_gitlab  # noqa: PLC0415 - only where asked for

    return [render_gitlab([given.audit])]


def _github(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.ci.github import render_github  # noqa: PLC0415 - only where asked for

    return [render_github([given.audit])]


def _netron(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.viewers.netron import render_netron  # noqa: PLC0415 - only where asked for

    return [render_netron(given.report)]


def _explorer(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.viewers.model_explorer import render_graph  # noqa: PLC0415 - only where asked for

    return [render_graph(given.report)]


def _node_data(given: Rendering) -> Iterable[str]:
    from nnea_graph.render.viewers.model_explorer import render_node_data  # noqa: PLC0415 - only where asked for

    return [render_node_data(given.report)]


def _graph_file(form: str) -> Callable[[Rendering], Iterable[str]]:
    def pieces(given: Rendering) -> Iterable[str]:
        from nnea_graph.render.graph_files import GRAPH_FORMATS  # noqa: PLC0415 - networkx costs 0.1 s
        from nnea_graph.report.views.plain_graph import plain_graph  # noqa: PLC0415 - as above

        if given.graph is None:
            raise UsageError(f"--format {form}: needs the model: nnea-graph run MODEL --format {form}")
        return GRAPH_FORMATS[form](plain_graph(given.graph, given.report))

    return pieces


_ALL = (
    ReportFormat("text", "report.txt", "for a terminal", _text),
    ReportFormat("json", "report.json", "everything, schema 1 (nnea-graph schema)", _json),
    ReportFormat("html", "report.html", "one self-contained page for a browser", _html),
    ReportFormat("md", "report.md", "Markdown for a pull request or a job summary", _markdown),
    ReportFormat("csv", "layers.csv", "a table of the layers", _layers),
    ReportFormat("csv-operators", "operators.csv", "a table of the operators", _operators),
    ReportFormat("sarif", "report.sarif", "SARIF 2.1.0 for code scanning", _sarif),
    ReportFormat("junit", "junit.xml", "JUnit XML, a case a check", _junit),
    ReportFormat("gitlab", "gl-code-quality-report.json", "GitLab Code Quality", _gitlab),
    ReportFormat("github", "annotations.txt", "GitHub workflow commands, for stdout of a step", _github),
    ReportFormat(
        "graphml", "graph.graphml", "GraphML with plain facts", _graph_file("graphml"), needs_graph=True
    ),
    ReportFormat(
        "gexf", "graph.gexf", "GEXF with plain facts, for Gephi", _graph_file("gexf"), needs_graph=True
    ),
    ReportFormat("netron", "netron.json", "Netron attachment, opened after the model", _netron),
    ReportFormat("model-explorer", "model_explorer.json", "Model Explorer graph with all facts", _explorer),
    ReportFormat(
        "node-data", "node_data.json", "Model Explorer node data (MACs) for its ONNX adapter", _node_data
    ),
)
FORMATS: Mapping[str, ReportFormat] = MappingProxyType({each.name: each for each in _ALL})


def format_named(name: str) -> ReportFormat:
    """The format of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"--format '{name}': there is no format '{name}'; there is {', '.join(FORMATS)}")
    return FORMATS[name]
