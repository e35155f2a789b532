"""Paths, busiest channels, importance and the data line as people read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import parser
from rich.cells import cell_len

from nnea_graph.api.analyze import analyze
from nnea_graph.render.text.pathways import folded
from nnea_graph.render.text.report import render_text
from nnea_graph.report import Report
from nnea_graph.report.schema.analysis import DataUsed
from nnea_graph.report.schema.pathways import ChannelEnd

MODELS = Path(__file__).parents[3] / "models"
DIGITS = MODELS / "digits.npz"


def section(report: Report, title: str, width: int = 80, **options: bool) -> list[str]:
    """The lines of a section, its title first."""
    lines = render_text(report, width=width, **options).splitlines()  # type: ignore[arg-type]
    start = next(place for place, line in enumerate(lines) if line.startswith(title))
    return lines[start : lines.index("", start)]


def flat(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("room", range(24, 70))
def test_a_folded_path_fits_and_keeps_both_ends(room: int) -> None:
    labels = ["x[0]", *(f"layer{at}[{at}]" for at in range(8)), "y[3]"]
    found = folded(labels, [1] * 10, room)
    assert cell_len(found) <= room
    assert found.startswith("x[0] → ")
    assert found.endswith(" → y[3]")
    left = int(found.split("… ")[1].split()[0])
    assert left + found.count("[") == 10


def test_a_path_that_fits_is_whole() -> None:
    assert folded(["x[0]", "y[3]"], [1, 1], 11) == "x[0] → y[3]"


def test_paths_say_where_they_lead_and_of_what_they_are() -> None:
    report = analyze(MODELS / "digits_mlp.onnx", passes="+pathways{k=2,sink_channel=3}", data=DIGITS)
    rows = section(report, "Paths")
    assert rows[0] == "Paths (best 2 by flow into logits[3], of |w| · mean |a|)"
    assert all(row.split()[1] == "%" and row.endswith("→ logits[3]") for row in rows[2:4])
    assert rows[2].split()[2].startswith("x[")


def test_without_real_data_paths_are_of_weights_and_not_validated() -> None:
    rows = section(analyze(MODELS / "digits_mlp.onnx", may_run=False), "Paths")
    assert rows[0] == "Paths (best 10 by flow, of |w| alone: no real data)"
    assert "  validation            not validated" in rows


def test_residual_joins_stand_for_themselves() -> None:
    rows = section(analyze(MODELS / "digits_transformer.onnx", may_run=False), "Paths")
    assert any(" → Add ×4 → " in row for row in rows)


def test_the_number_of_paths_is_told_in_words_and_small_shares_are_not_zero() -> None:
    words = flat(section(analyze(MODELS / "digits_cnn.onnx", may_run=False), "Paths"))
    assert (
        "effectively 1.57 M paths (exp of the path entropy): the flow is not concentrated on a few paths"
        in words
    )
    assert "0.0 %" not in words.replace("100.0 %", "")


def test_queries_and_keys_are_a_class_of_their_own() -> None:
    words = flat(section(analyze(MODELS / "digits_transformer.onnx", may_run=False), "Paths"))
    assert "16 of 16 layers, 100.0 % of the MACs; attention is followed along its values" in words
    assert "not traced" not in words


LOST = """<ir_version: 8, opset_import: ["" : 17, "my.dom" : 1]>
g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 2, 3, 4}>
{ h = my.dom.Foo(x)  y = MatMul(h, w) }"""


def test_a_model_without_paths_says_where_the_channel_graph_ends() -> None:
    words = flat(section(analyze(parser.parse_model(LOST)), "Paths"))
    assert "paths none: no channel of an input leads to an output on the channel graph" in words
    assert "channel graph 0 of 1 layer" in words
    assert "not traced MatMul_0: " in words
    assert "output y: not reached" in words


def test_of_many_ends_three_are_shown_and_the_rest_counted() -> None:
    report = analyze(parser.parse_model(LOST))
    assert report.channels is not None
    ends = [ChannelEnd(f"n{at}\x1b", "t", "because") for at in range(9)]
    report = replace(report, channels=replace(report.channels, uncovered={}, ends=ends))
    rows = section(report, "Paths")
    assert flat(rows).count("because") == 2  # with the output that is not reached, three
    assert "… 7 more places: -v or JSON" in flat(rows)
    assert "\x1b" not in flat(rows)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (DataUsed("digits.npz", 450, synthetic=False, not_run=""), "data digits.npz, 450 samples"),
        (
            DataUsed("synthetic (seed 0)", 8, synthetic=True, not_run=""),
            "data synthetic (seed 0), 8 samples: activation statistics (JSON, -v) use synthetic inputs",
        ),
        (
            DataUsed("synthetic (seed 0)", 0, synthetic=True, not_run="no\x1b way"),
            r"data not run: no\x1b way",
        ),
    ],
    ids=["real", "made-up", "not-run"],
)
def test_the_header_says_what_the_model_ran_on(data: DataUsed, said: str) -> None:
    report = replace(analyze(MODELS / "digits_mlp.onnx", may_run=False), data=data)
    assert said in flat(section(report, "digits_mlp.onnx"))


def test_without_a_run_there_is_no_data_line() -> None:
    report = analyze(MODELS / "digits_mlp.onnx", may_run=False)
    assert not [line for line in section(report, "digits_mlp.onnx") if line.startswith("  data")]


def test_made_up_data_make_no_table_of_importance_unless_asked_for() -> None:
    report = analyze(MODELS / "digits_mlp.onnx")
    assert "Importance by cost" not in render_text(report)
    assert "Importance by cost (synthetic inputs: indicative only)" in render_text(report, verbose=True)


def test_real_data_show_importance_beside_weights_and_dead_channels() -> None:
    report = analyze(MODELS / "digits_mlp.onnx", data=DIGITS)
    assert section(report, "Global metrics")[0].endswith(
        "(of importance |w| · mean |a|; in brackets of |w| alone)"
    )
    heads = section(report, "Layer by layer")[1:3]
    assert heads[0].split()[-7:] == ["util.", "util.", "null", "red.", "Gini", "<1e-3", "dead"]
    where = flat(section(report, "Importance by cost"))
    assert "dead channels 26 of 394, in 2 layers: 15.5 KiB of weights produce them" in where


def test_many_layers_by_importance_show_both_ends() -> None:
    names = ", ".join(f"float[4, 4] w{at} = {{{', '.join(['1'] * 16)}}}" for at in range(30))
    nodes = " ".join(f"t{at + 1} = MatMul(t{at}, w{at})" for at in range(30))
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[N, 4] t0) => (float[N, 4] t30) <{names}> {{ {nodes} }}'
    report = analyze(parser.parse_model(text), data={"t0": np.full((2, 4), 0.1, np.float32)})
    rows = section(report, "Importance by cost")[3:]
    assert [row.split()[0] for row in rows[:11]] == [
        *(f"MatMul_{at}" for at in range(29, 24, -1)),
        "…",
        *(f"MatMul_{at}" for at in range(4, -1, -1)),
    ]
    assert rows[5] == "  … 20 more layers in between: -v or JSON"


@pytest.mark.parametrize("width", [72, 80, 120])
@pytest.mark.parametrize("verbose", [False, True], ids=["brief", "verbose"])
@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_transformer"])
def test_no_line_on_real_data_is_wider_than_the_page(name: str, width: int, *, verbose: bool) -> None:
    text = render_text(analyze(MODELS / f"{name}.onnx", data=DIGITS), width=width, verbose=verbose)
    assert not [line for line in text.splitlines() if cell_len(line) > width]
