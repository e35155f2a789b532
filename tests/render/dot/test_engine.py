"""Pictures: the same bytes each time, names that only show, and an answer where nothing can draw."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import onnx
import pytest
from hostile.support.models import model, op, tensor, typed

from nnea_graph.api.analyze import report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.render.dot import engine as drawing
from nnea_graph.render.dot.engine import dot_texts, draw, picture_files
from nnea_graph.render.plots.visualizer import PLOT_FILES
from nnea_graph.report.diagrams import Diagrams, diagrams_of

MODELS = Path(__file__).parents[3] / "models"
PASSES = "pathways,cost,memory,weight_statistics,importance"
NAMES = ("pathways", "flow", "graph")

HOSTILE = [
    pytest.param('a"]; evil [URL="http://evil.example/', id="ends-the-attribute"),
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("</B></FONT></TD></TR></TABLE>> evil <<B>", id="ends-the-label"),
    pytest.param("<<B>x</B>>", id="looks-like-html"),
    pytest.param("<IMG SRC='/etc/passwd'/>", id="image"),
    pytest.param("\\N \\G \\T \\l\\r\\n \\", id="dot-escapes"),
    pytest.param("&#60;script&#62; &amp; &unknown; &", id="entities"),
    pytest.param("x\n}\nevil -> evil2;\n{", id="lines"),
    pytest.param("\x1b[2J\x07\x00\u202e\u2028", id="control"),
    pytest.param("深層|{a|b}:port:e {rank=same}", id="ports-and-records"),
    pytest.param("é" * 5000, id="long"),
    pytest.param(" ", id="blank"),
    pytest.param("%s{0}{x}$(id)`id`", id="formats"),
]


def diagrams(source: Any, data: Any = None) -> Diagrams:
    opened = AnalysisRequest(source=source, data=data, passes=PASSES).open()
    report, _ = report_on(opened)
    return diagrams_of(opened.graph, report)


def named(name: str) -> Any:
    """A model in which everything is called so."""
    return model(
        [
            op("MatMul", [f"{name}x", f"{name}w"], [f"{name}h"], name=f"/{name}/fc/{name}1"),
            op("Relu", [f"{name}h"], [f"{name}a"], name=f"{name}2"),
            op("MatMul", [f"{name}a", f"{name}v"], [f"{name}y"], name=f"{name}3"),
        ],
        [typed(f"{name}x", name[:50] or "n", 4)],
        [typed(f"{name}y", name[:50] or "n", 2)],
        [tensor(f"{name}w", np.ones((4, 3))), tensor(f"{name}v", np.ones((3, 2)))],
    )


def elements(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())


@pytest.fixture(params=["dot", "bundled"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two programs that draw."""
    if request.param == "bundled":
        pytest.importorskip("pygraphviz")
        monkeypatch.setattr(shutil, "which", lambda _: None)
    elif not shutil.which("dot"):
        pytest.skip("no dot here")
    return str(request.param)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_shown(name: str, engine: str) -> None:
    found = dot_texts(diagrams(named(name)))
    assert set(found) == set(NAMES)
    for picture, text in found.items():
        drawn = draw(text)
        assert drawn.reason == ""
        inside = elements(drawn.data.decode())
        tags = {element.tag.rpartition("}")[2] for element in inside}
        assert tags <= {"svg", "g", "title", "polygon", "path", "text", "a", "polyline", "ellipse"}
        links = [value for element in inside for key, value in element.items() if key.endswith("href")]
        assert links == []
        assert shapes(inside) == plain_shapes(engine)[picture]


LINK = '<<TABLE HREF="javascript:alert(1)" TARGET="_top"><TR><TD>x</TD></TR></TABLE>>'


@pytest.mark.parametrize("name", [LINK, '<x>]; evil [URL="javascript:alert(1)"; class=<x>', "<\\>"])
def test_a_name_that_is_all_html_is_no_html(name: str, engine: str) -> None:
    """A name alone, with nothing of the program before it: graphviz takes ``<…>`` for HTML."""
    del engine
    made = named("n")
    for node in made.graph.node:
        node.name = f"<{node.op_type}{name[1:]}"
    made.graph.node[0].name = name
    for text in dot_texts(diagrams(made)).values():
        drawn = draw(text)
        assert drawn.reason == ""
        assert "tooltip=<" not in text
        inside = elements(drawn.data.decode())
        assert "evil" not in shapes(inside)
        assert not [value for element in inside for key, value in element.items() if key.endswith("href")]


@cache
def plain_shapes(engine: str) -> dict[str, list[str]]:
    """What is drawn of a model with names that mean nothing, by the engine that is at work."""
    del engine
    texts = dot_texts(diagrams(named("n")))
    return {picture: shapes(elements(draw(text).data.decode())) for picture, text in texts.items()}


def shapes(inside: list[ET.Element]) -> list[str]:
    """Ids of nodes, edges and clusters, as graphviz writes them in titles."""
    return sorted(element.text or "" for element in inside if element.tag.endswith("title"))


def test_the_name_of_the_file_is_only_shown(tmp_path: Path) -> None:
    path = tmp_path / "<script>&\"'>.onnx"
    onnx.save(named("n"), path)
    for text in dot_texts(diagrams(path)).values():
        drawn = draw(text)
        assert drawn.reason == ""
        assert b"<script" not in drawn.data


def test_dot_runs_clean_on_every_digits_model(engine: str) -> None:
    del engine
    for name in ("digits_mlp", "digits_cnn", "digits_transformer"):
        files, missing = picture_files(diagrams(MODELS / f"{name}.onnx"))
        assert missing == ""
        assert sorted(files) == sorted(f"{each}.{form}" for each in NAMES for form in ("dot", "svg"))
        for each in NAMES:
            assert len(elements(files[f"{each}.svg"])) > 20


@pytest.mark.skipif(not shutil.which("dot"), reason="no dot here")
@pytest.mark.parametrize("picture", NAMES)
def test_dot_has_nothing_to_complain_of(picture: str, tmp_path: Path) -> None:
    file = tmp_path / "picture.dot"
    file.write_text(dot_texts(diagrams(MODELS / "digits_transformer.onnx"))[picture], encoding="utf-8")
    done = subprocess.run(["dot", "-Tsvg", file], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_same_model_gives_the_same_text() -> None:
    first, again = (dot_texts(diagrams(MODELS / "digits_cnn.onnx")) for _ in range(2))
    assert first == again


def test_accents_color_paths_one_by_one() -> None:
    found = diagrams(MODELS / "digits_mlp.onnx")
    plain, accents = (dot_texts(found, accents=each)["pathways"] for each in (False, True))
    assert "path 10" not in plain
    assert {f'tooltip="path {number}"' in accents for number in range(1, 11)} == {True}


def test_nothing_to_draw_with_leaves_the_text_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(drawing, "find_spec", lambda _: None)
    files, missing = picture_files(diagrams(MODELS / "digits_mlp.onnx"))
    assert sorted(files) == ["flow.dot", "graph.dot", "pathways.dot"]
    assert missing == (
        "not drawn: pathways.svg, flow.svg, graph.svg: no program to draw with: install graphviz"
        " (apt-get install graphviz), or pip install 'nnea-graph[pictures]'"
    )


def test_text_that_is_no_dot_is_a_reason_not_a_picture(engine: str) -> None:
    del engine
    drawn = draw("digraph { a -> ")
    assert drawn.data == b""
    assert re.match(r"graphviz failed: .+", drawn.reason)


def test_a_picture_that_takes_too_long_is_given_up(engine: str) -> None:
    del engine
    edges = "".join(f"n{a} -> n{b};" for a in range(300) for b in range(a))
    drawn = draw(f"digraph {{ {edges} }}", seconds=0.5)
    assert drawn.data == b""
    assert drawn.reason == "graphviz took more than 0.5 s; draw the .dot file yourself"


# Files of the program


def test_the_output_folder_gets_pictures_and_loses_those_of_an_older_report(
    program: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        onnx.save(named(name), tmp_path / f"{name}.onnx")
    out = tmp_path / "out"
    assert program("run", "a.onnx", "-o", "out", "-q").code == 0
    written = {path.name for path in out.iterdir()}
    assert written == {
        "report.html",
        "report.json",
        "run.json",
        *(f"{each}.{form}" for each in NAMES for form in ("dot", "svg")),
        *PLOT_FILES,
    }
    assert program("run", "b.onnx", "-o", "out", "-q", "--force", "-p", "cost").code == 0
    assert {path.name for path in out.iterdir()} == {
        *("report.html", "report.json", "run.json", "graph.dot", "graph.svg"),
        *("plot_cost_breakdown.svg", "plot_layer_comparison.svg"),  # nothing is known of the rest
    }
    assert "b.onnx" in (out / "graph.dot").read_text(encoding="utf-8")


def test_a_color_a_path_on_request(program: Callable[..., Any], tmp_path: Path) -> None:
    onnx.save(named("a"), tmp_path / "a.onnx")
    assert program("run", "a.onnx", "-o", "plain", "-q").code == 0
    assert program("run", "a.onnx", "-o", "colors", "-q", "--path-colors").code == 0
    plain, colors = ((tmp_path / each / "pathways.dot").read_text("utf-8") for each in ("plain", "colors"))
    assert 'tooltip="path 2"' in colors
    assert 'tooltip="path 2"' not in plain


def test_graphviz_is_imported_only_to_draw() -> None:
    code = (
        "import sys; from nnea_graph.commands.cli import run_command_line;"
        f"run_command_line(['run', r'{MODELS / 'digits_mlp.onnx'}', '--no-run', '--format', 'json']);"
        "print('graphviz' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["False"]


# Pictures of the README


@pytest.fixture(scope="module")
def digits_cnn() -> Diagrams:
    return diagrams(MODELS / "digits_cnn.onnx", MODELS / "digits.npz")


@pytest.mark.parametrize("picture", ["pathways", "flow"])
def test_pictures_of_the_readme_are_what_the_program_draws(
    picture: str, digits_cnn: Diagrams, golden: Callable[[str, str], None], request: pytest.FixtureRequest
) -> None:
    """The text to the letter; of the picture, whose layout differs between versions of graphviz, what it says."""
    text = dot_texts(digits_cnn)[picture]
    golden(f"digits_cnn.{picture}.dot", text)
    drawn = draw(text).data.decode()
    file = MODELS / f"digits_cnn.{picture}.svg"
    if request.config.getoption("--update-golden"):
        file.write_text(drawn, encoding="utf-8")
    assert words(file.read_text(encoding="utf-8")) == words(drawn)


def words(svg: str) -> list[str]:
    """All that can be read in a picture."""
    return sorted((element.text or "").strip() for element in elements(svg) if element.tag.endswith("text"))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Error: syntax error in line 1\\nmore", "Error: syntax error in line 1"),
        ("Traceback (most recent call last):\\n  File 'a.py'\\nOSError: too large", "OSError: too large"),
        ("", "3"),
    ],
    ids=["message", "traceback", "nothing"],
)
def test_an_engine_that_fails_is_quoted_in_one_line(
    said: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "dot"
    engine.write_text(f'#!/bin/sh\nprintf "{said}\\n" >&2\nexit 3\n')
    engine.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = draw("digraph {}")
    assert (found.data, found.reason) == (b"", f"graphviz failed: {reason}")
