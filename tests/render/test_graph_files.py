"""GraphML and GEXF files are read back by networkx with the numbers of the report, whatever the names are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hostile.support.models import model, op, typed

from nnea_graph import Report, analyze
from nnea_graph.api.analyze import report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.engine import Column, FactRow, FactSection
from nnea_graph.graph import ModelGraph
from nnea_graph.render.graph_files import GRAPH_FORMATS, escaped
from nnea_graph.report.views.plain_graph import plain_graph

MODELS = Path(__file__).parents[2] / "models"


def opened(source: object, passes: str | None = None) -> tuple[ModelGraph, Report]:
    opened = AnalysisRequest(source=source, passes=passes).open()
    return opened.graph, report_on(opened)[0]


def read_back(whole: nx.DiGraph[str], form: str, folder: Path) -> nx.DiGraph[str]:
    file = folder / f"graph.{form}"
    file.write_text("".join(GRAPH_FORMATS[form](whole)), encoding="utf-8")
    found = nx.read_graphml(file) if form == "graphml" else nx.read_gexf(file)
    assert isinstance(found, nx.DiGraph)
    return found


@pytest.mark.parametrize("form", GRAPH_FORMATS)
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_what_is_read_back_is_the_report(path: Path, form: str, tmp_path: Path) -> None:
    graph, report = opened(path)
    found = read_back(plain_graph(graph, report), form, tmp_path)
    assert list(found) == [node.id for node in report.nodes]
    assert set(found.edges) == set(graph.nx.edges)
    layers = {layer.id: layer for layer in report.layers}
    for place, node in enumerate(report.nodes):
        facts = found.nodes[node.id]
        assert facts["position"] == place
        for name in ("op_type", "scope", "macs", "flops", "bytes", "status", "in_total"):
            assert facts.get(name) == getattr(node, name), (node.id, name)
        assert facts.get("parameters") == (layers[node.id].parameters if node.id in layers else None)
    if form == "graphml":
        assert found.graph["macs"] == report.totals.macs
        assert found.graph["dims.batch"] == 1


@pytest.mark.parametrize("form", GRAPH_FORMATS)
def test_an_edge_says_how_many_bytes_pass(form: str, tmp_path: Path) -> None:
    nodes = [
        op("Relu", ["x"], ["a"], name="r"),
        op("Shape", ["a"], ["s"], name="s"),
        op("Cast", ["s"], ["z"], name="c", to=1),
        op("Add", ["a", "a"], ["y"], name="p"),
    ]
    graph, report = opened(model(nodes, [typed("x", 3, 4)]), "cost")
    found = read_back(plain_graph(graph, report), form, tmp_path)
    assert {(a, b): edge["bytes"] for a, b, edge in found.edges(data=True)} == {
        ("r", "s"): 48,
        ("r", "p"): 48,
        ("s", "c"): 16,
    }
    assert found.edges["r", "p"]["shape"] == "3x4"


@pytest.mark.parametrize("form", GRAPH_FORMATS)
def test_names_that_xml_refuses_are_escaped_and_stay_different(form: str, tmp_path: Path) -> None:
    odd = ["a\x1b[2J", "a\\x1b[2J", "b\x00", "c\u2028d", "e\x85", "<&\"'>", "\ufffe", "tab\tline\n", "ü☃"]
    tensors = [*(f"t{place}" for place in range(len(odd))), "y"]
    nodes = [op("Relu", [a], [b], name=name) for (a, b), name in zip(pairwise(tensors), odd, strict=True)]
    graph, report = opened(model(nodes, [typed("t0", 2)]), "cost")
    whole = plain_graph(graph, report)
    found = read_back(whole, form, tmp_path)
    assert len(found) == len(odd)
    assert len(found.edges) == len(odd) - 1
    assert list(found)[-1] == "ü☃"
    assert next(iter(found)) == r"a\x1b[2J"
    ET.parse(tmp_path / f"graph.{form}")


@pytest.mark.parametrize("form", GRAPH_FORMATS)
def test_the_same_model_gives_the_same_bytes(form: str) -> None:
    first, second = (
        "".join(GRAPH_FORMATS[form](plain_graph(*opened(MODELS / "digits_mlp.onnx")))) for _ in "ab"
    )
    assert first == second
    assert "lastmodifieddate" not in first


@pytest.mark.parametrize("form", GRAPH_FORMATS)
def test_facts_of_other_passes_are_attributes_of_one_type_and_what_is_not_known_is_left_out(
    form: str, tmp_path: Path
) -> None:
    nodes = [op("Relu", ["x"], ["a"], name="r"), op("Neg", ["a"], ["y"], name="n")]
    graph, report = opened(model(nodes, [typed("x", 2)]), "cost")
    values: list[dict[str, Any]] = [
        {"number": 1, "huge": 1 << 80, "odd": True, "none": None},
        {"number": 0.5, "huge": 2, "odd": "text", "none": None},
    ]
    rows = [FactRow(each, name, {"none": "why"}) for each, name in zip(values, ("r", "n"), strict=True)]
    section = FactSection("Mine", tuple(map(Column, values[0])), rows)
    found = read_back(plain_graph(graph, replace(report, extensions={"mine": section})), form, tmp_path)
    mine = {
        name: {key: fact for key, fact in facts.items() if key.startswith("mine.")}
        for name, facts in found.nodes(data=True)
    }
    assert mine == {
        "r": {"mine.number": 1.0, "mine.huge": float(1 << 80), "mine.odd": "True"},
        "n": {"mine.number": 0.5, "mine.huge": 2.0, "mine.odd": "text"},
    }


def test_text_without_control_characters_is_left_alone() -> None:
    assert escaped("Größe ☃") == "Größe ☃"


def test_a_report_without_shapes_has_a_graph_too(tmp_path: Path) -> None:
    graph, report = opened(MODELS / "digits_mlp.onnx", "constants")
    found = read_back(plain_graph(graph, report), "graphml", tmp_path)
    assert len(found) == len(analyze(MODELS / "digits_mlp.onnx", passes="cost").nodes)
    assert not any("macs" in facts for _, facts in found.nodes(data=True))
