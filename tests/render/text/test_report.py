from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from rich.cells import cell_len
from rich.console import Console

from nnea_graph.api.analyze import analyze
from nnea_graph.render.text.report import print_text, render_text
from nnea_graph.report import Report
from nnea_graph.report.schema.analysis import Finding, PassRun

MODELS = Path(__file__).parents[3] / "models"
OWN_MODELS = ("digits_mlp", "digits_cnn", "digits_transformer")
NASTY = "\x1b[31mred\u202e[bold]x[/bold]\r\n\u0301\u0301\u0301"


def of(text: str, **options: str) -> Report:
    return analyze(parser.parse_model(text), passes=options.get("passes"))


def chain(names: Sequence[str], size: int = 32) -> onnx.ModelProto:
    """MatMul after MatMul, every one with weights of its own."""
    generator = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(generator.normal(size=(size, size)).astype(np.float32), f"w{place}")
        for place in range(len(names))
    ]
    nodes = [
        helper.make_node("MatMul", [f"t{place}", f"w{place}"], [f"t{place + 1}"], name=name)
        for place, name in enumerate(names)
    ]
    ends = [
        helper.make_tensor_value_info(f"t{place}", TensorProto.FLOAT, ["N", size])
        for place in (0, len(names))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def section(text: str, title: str) -> list[str]:
    """The lines of a section, without its title."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(title)) + 1
    return lines[start : lines.index("", start)] if "" in lines[start:] else lines[start:]


def too_wide(text: str, width: int) -> list[str]:
    return [line for line in text.splitlines() if cell_len(line) > width]


@pytest.mark.parametrize("name", OWN_MODELS)
def test_report_of_own_models_reads_as_reviewed(name: str, golden: Callable[[str, str], None]) -> None:
    report = analyze(MODELS / f"{name}.onnx")
    golden(f"{name}.txt", render_text(report, width=80, verdict="PASSED"))


def test_report_on_real_data_reads_as_reviewed(
    golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MODELS.parent)  # the report names the data as the user did
    report = analyze("models/digits_mlp.onnx", data="models/digits.npz")
    golden("digits_mlp_on_data.txt", render_text(report, width=80, verdict="PASSED"))


@pytest.mark.parametrize("width", [72, 80, 120])
@pytest.mark.parametrize("verbose", [False, True], ids=["brief", "verbose"])
@pytest.mark.parametrize("passes", [None, "cost", "weight_statistics"])
def test_no_line_is_wider_than_the_page(width: int, passes: str | None, *, verbose: bool) -> None:
    report = analyze(MODELS / "digits_transformer.onnx", passes=passes)
    assert not too_wide(render_text(report, width=width, verbose=verbose), width)


def test_what_no_pass_computed_is_said_and_never_zero() -> None:
    text = render_text(analyze(MODELS / "digits_cnn.onnx", passes="cost"))
    assert "  weight statistics     not computed (pass weight_statistics)" in text.splitlines()
    assert "  peak activations      not computed (pass memory)" in text.splitlines()
    assert "utilization" not in text
    text = render_text(analyze(MODELS / "digits_cnn.onnx", passes="weight_statistics"))
    assert "  MACs, FLOPs           not computed (pass cost)" in text.splitlines()
    assert "MACs  " not in text


def test_a_failed_pass_is_named_where_its_numbers_would_be() -> None:
    report = analyze(MODELS / "digits_cnn.onnx", passes="cost")
    report = replace(report, passes=[*report.passes, PassRun("memory", "failed", "out of luck")])
    text = render_text(report, verdict="FAILED: pass memory failed")
    assert "  peak activations      not computed: pass memory failed" in text.splitlines()
    assert "  passes        memory failed" in text.splitlines()
    assert text.endswith("\n\nFAILED: pass memory failed\n")


UNKNOWN = """<ir_version: 8, opset_import: ["" : 17, "my.dom" : 1]>
g (float[N, 4] x) => (float y) <float[4, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}>
{ h = MatMul(x, w)  a = my.dom.Foo(h)  b = my.dom.Foo(h)  y = my.dom.Bar(a, b) }"""


def test_unknown_operators_stand_beside_the_totals() -> None:
    text = render_text(of(UNKNOWN))
    coverage = " ".join(" ".join(section(text, "Computational cost")).split())
    assert "coverage 4 operators: 1 exact, 3 unknown and not in the totals: Foo ×2, Bar ×1" in coverage
    assert "MACs 16 + ? 16 multiply-accumulates" in coverage


LOOP = """<ir_version: 8, opset_import: ["" : 17]>
g (int64 n, bool c, float[2, 2] x) => (float[2, 2] y) <float[2, 2] w = {1, 2, 3, 4}> {
  y = Loop (n, c, x) <
    body = b (int64 i, bool ci, float[2, 2] a) => (bool co, float[2, 2] z) { co = Identity(ci)  z = MatMul(a, w) }>
}"""


def test_a_loop_of_unknown_trips_is_not_said_to_cost_nothing() -> None:
    text = render_text(of(LOOP, passes="cost"))
    assert section(text, "Branches")[1].split() == [
        "Loop_0/body",
        "2",
        "4",
        "?",
        "trip",
        "count",
        "unknown,",
        "not",
        "in",
        "total",
    ]
    assert section(text, "Computational cost")[0].split()[:2] == ["MACs", "unknown"]


IF = """<ir_version: 8, opset_import: ["" : 17]>
g (bool c, float[2, 4] x) => (float[2, 4] y) {
  y = If (c) <
    then_branch = a () => (float[2, 4] p)
      <float[4, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}> { q = MatMul(x, w)  p = MatMul(q, w) },
    else_branch = b () => (float[2, 4] r)
      <float[4, 4] v = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,1}> { r = MatMul(x, v) }>
}"""


def test_of_two_branches_the_one_in_the_total_is_marked() -> None:
    text = render_text(of(IF))
    rows = [" ".join(line.split()) for line in section(text, "Branches")[1:]]
    assert sorted(rows) == [
        "If_0/else_branch 1 16 32 alternative, not in total",
        "If_0/then_branch 2 16 64 in total",
    ]


def test_a_layer_outside_the_total_has_no_share_of_it() -> None:
    rows = section(render_text(of(IF, passes="cost"), width=100), "Layer by layer")
    outside = rows.index("  If_0/else_branch (alternative, not in total)")
    assert rows[outside + 1].split() == ["MatMul_0", "MatMul", "4×4", "16", "32", "–"]


PLAIN = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }"""


def test_a_model_without_weights_has_no_statistics_and_no_table() -> None:
    text = render_text(of(PLAIN))
    assert "  weight statistics     none: the model has no weights" in text.splitlines()
    assert "Layer by layer" not in text
    assert "MACs by operator" not in text


def test_long_models_show_the_dearest_and_say_how_many_are_left() -> None:
    report = analyze(chain([f"dense_{place}" for place in range(50)]))
    rows = section(render_text(report, top=3), "Layer by layer")
    assert [row.split()[0] for row in rows[2:5]] == ["dense_0", "dense_1", "dense_2"]
    assert rows[-1] == "  … 47 more layers: --top N, -v or JSON"
    every = section(render_text(report, top=3, verbose=True), "Layer by layer")
    assert sum(" MatMul " in row for row in every) == 50


def test_layers_whose_names_differ_in_the_middle_stay_apart() -> None:
    names = [
        f"/model/layers.{at}/very_long_module_name/{part}/dense/MatMul" for at in (1, 2) for part in "qk"
    ]
    rows = section(render_text(analyze(chain(names))), "Layer by layer")[2:6]
    assert len({row.split()[0] for row in rows}) == 4


def test_same_finding_of_many_layers_is_one_entry_with_the_worst_three() -> None:
    report = analyze(chain([f"dense_{place}" for place in range(12)]))
    many = [
        Finding(
            "NNEA203", "warning", f"dense_{at}", f"layer 'dense_{at}' is low", "bad", "mend it", at / 100, 0.5
        )
        for at in reversed(range(12))
    ]
    rows = section(render_text(replace(report, findings=many)), "Findings (12 warnings)")
    assert [row.strip() for row in rows[:4]] == [
        "warning  layer 'dense_0' is low",
        "layer 'dense_1' is low",
        "layer 'dense_2' is low",
        "… and 9 more: -v or JSON",
    ]


@pytest.mark.parametrize("verbose", [False, True], ids=["brief", "verbose"])
def test_names_from_the_file_do_nothing_to_a_terminal(*, verbose: bool) -> None:
    model = chain([f"a{NASTY}{'b' * 300}", f"{'中文' * 80}x", f"{'中文' * 80}y"])
    model.producer_name = NASTY
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = NASTY
    model.graph.node.append(helper.make_node(f"Evil{NASTY}", ["t3"], ["t4"], domain=NASTY, name=NASTY))
    model.graph.output[0].name = "t4"
    model.opset_import.append(helper.make_opsetid(NASTY, 1))
    out = StringIO()
    print_text(
        analyze(model),
        Console(file=out, width=80, force_terminal=True, color_system="truecolor"),
        verbose=verbose,
    )
    text = out.getvalue()
    assert "\x1b[31mred" not in text
    assert not {"\u202e", "\r", "\u0301\u0301\u0301"} & {*text, *([NASTY[-3:]] if NASTY[-3:] in text else [])}
    assert r"\x1b[31mred\u202e[bold]x" in text
    assert not too_wide(render_text(analyze(model), width=80, verbose=verbose), 80)


def test_colors_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    report = analyze(MODELS / "digits_mlp.onnx")
    out = StringIO()
    print_text(report, Console(file=out, width=80), verdict="PASSED")
    assert "\x1b" not in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    print_text(report, Console(file=out, width=80, force_terminal=True), verdict="PASSED")
    assert not [code for code in ("\x1b[32m", "\x1b[1;32m", "\x1b[36m") if code in out.getvalue()]


def test_an_output_that_is_not_unicode_gets_other_signs_at_the_same_width() -> None:
    raw = BytesIO()
    stream = TextIOWrapper(raw, encoding="ascii", write_through=True)
    print_text(analyze(MODELS / "digits_cnn.onnx"), Console(file=stream, width=80))
    text = raw.getvalue().decode("ascii")
    assert "  inputs        x float32 batchx1x8x8 = 1x1x8x8" in text.splitlines()
    assert "\\" not in text
    assert not too_wide(text, 80)
