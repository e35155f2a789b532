from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from render.web.pages import HOSTILE, large_report

from nnea_graph import analyze
from nnea_graph.engine.section import Column, FactRow, FactSection
from nnea_graph.render.web.page import render_page
from nnea_graph.report.schema.analysis import Report

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(scope="module")
def report() -> Report:
    return analyze(MODELS / "digits_cnn.onnx")


class Elements(HTMLParser):
    """Tags with their attributes, and the texts of script and style elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.texts:
            self.texts[self._open].append(data)


def test_the_policy_allows_this_script_and_this_style_and_nothing_else(report: Report) -> None:
    found = Elements(render_page(report))
    policy = next(each["content"] or "" for tag, each in found.tags if each.get("http-equiv"))
    hashed = [found.texts["script"][-1], found.texts["style"][0]]
    for text in hashed:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_nothing_is_fetched_and_nothing_runs_from_an_attribute(report: Report) -> None:
    for tag, attributes in Elements(render_page(report)).tags:
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "src"}], tag
        assert (attributes.get("href") or "#").startswith("#")


def test_the_script_evaluates_no_text_and_asks_no_server() -> None:
    web = Path(__file__).parents[3] / "nnea_graph" / "render" / "web"
    bundle = (web / "assets" / "page.js").read_text(encoding="utf-8")
    assert not re.search(r"\beval\(|new Function|document\.write|fetch\(|XMLHttp", bundle)
    for source in (web / "source").glob("*.js"):
        assert not re.search(r"innerHTML|insertAdjacentHTML|\.html\(", source.read_text(encoding="utf-8")), (
            source.name
        )


def test_names_of_a_stranger_stay_text(report: Report) -> None:
    plain = Elements(render_page(report))
    for name in HOSTILE:
        nodes = [replace(node, id=f"{name}{node.id}", scope=name, op_type=name) for node in report.nodes]
        layers = [replace(each, id=f"{name}{each.id}", scope=name, op_type=name) for each in report.layers]
        findings = [replace(each, message=name) for each in report.findings]
        model = replace(report.model, path=name, producer=name)
        odd = replace(report, nodes=nodes, layers=layers, findings=findings, model=model, pathways=None)
        page = render_page(odd)
        found = Elements(page)
        assert [tag for tag, _ in found.tags if tag in {"script", "img", "iframe"}] == ["script", "script"]
        assert json.loads(found.texts["script"][0])["nodes"]["op"]
        assert len(found.texts["style"]) == len(plain.texts["style"])
        page.encode("utf-8")


def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert render_page(report, "PASSED") == render_page(report, "PASSED")


def test_300_layers_take_less_than_a_megabyte_and_10_000_operators_less_than_six() -> None:
    assert len(render_page(large_report(300, 300)).encode()) < 1_000_000
    assert len(render_page(large_report(10_000, 1_000)).encode()) < 6_000_000


def test_what_is_not_known_is_said(report: Report) -> None:
    page = render_page(report)
    assert "dims assumed: batch=1" in page
    assert "synthetic inputs" in page


def test_facts_of_other_passes_are_a_table_with_their_reasons(report: Report) -> None:
    rows = (FactRow({"depth": 3}), FactRow({"depth": None}, "node_conv2d", {"depth": "in a <loop>"}))
    section = FactSection("Depth of it", (Column("depth", "layers"), Column("other")), rows)
    page = render_page(replace(report, extensions={"depth": section}))
    assert "<h2>Depth of it</h2>" in page
    assert "<td>3</td><td></td>" in page
    assert "<td>not known: in a &lt;loop&gt;</td>" in page


def test_every_total_explains_itself(report: Report) -> None:
    found = Elements(render_page(report))
    terms = json.loads(found.texts["script"][0])["terms"]
    marked = [each["data-term"] for _, each in found.tags if "data-term" in each]
    assert marked
    assert [word for word in marked if not terms.get(word or "")] == []
