"""Messages inside each other, and names that nobody would choose."""

from __future__ import annotations

import json

import pytest
from hostile.support.models import Y, chain, field, graph, model, op, tensor, typed
from hostile.support.running import Program
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, helper

HOSTILE = {
    "html": '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "dot": 'a"]; x [URL="javascript:alert(1)"',
    "ansi": "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "direction": "\u202egnp.exe\u2066\u200b",
    "formula": '=HYPERLINK("http://example.org","click")',
    "path": "../../../../etc/passwd",
    "nul": "a\0b",
    "newline": "one\ntwo\r\nthree",
    "quotes": "'\"`\\",
    "format": "{0.__class__} %s %n ${HOME} $(id)",
    "markup": "[bold red]x[/] [link=http://example.org]y[/link] :smile:",
    "emoji": "👩‍👩‍👧‍👦" * 50,
    "blank": " \t ",
    "dunder": "__import__('os').system('id')",
    "limits": "NaN",
}


def nested(depth: int) -> NodeProto:
    """An If in an If in an If …"""
    node = op("Relu", ["x"], ["leaf"])
    for level in range(depth):
        inner = graph([node], [], [typed(node.output[0])])
        node = op("If", ["c"], [f"o{level}"], then_branch=inner, else_branch=graph([], [], [typed("x")]))
    return node


def wire_of(graph_depth: int) -> bytes:
    """A model whose graph attributes are nested so deep that protobuf itself could not write it."""
    content = field(1, field(2, b"y") + field(4, b"Relu") + field(1, b"x"))
    for _ in range(graph_depth):
        attribute = field(1, b"body") + field(6, content) + b"\xa0\x01\x05"
        content = field(1, field(2, b"y") + field(4, b"Loop") + field(5, attribute))
    return b"\x08\x0a" + field(8, b"\x10\x15") + field(7, content)


@pytest.mark.parametrize("depth", [100, 2_000, 5_000])
def test_graphs_nested_on_the_wire_are_refused(program: Program, depth: int) -> None:
    program.refuses(wire_of(depth))


def test_sequence_types_nested_on_the_wire_are_refused(program: Program) -> None:
    content = field(1, b"\x08\x01")
    for _ in range(3_000):
        content = field(4, field(1, content))
    made = model([op("Identity", ["x"], ["y"])]).SerializeToString()
    program.refuses(made + field(7, field(11, field(1, b"z") + field(2, content))), "nested")


def test_sequence_types_nested_as_deep_as_protobuf_reads_are_reported(program: Program) -> None:
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    for _ in range(40):
        kind = helper.make_sequence_type_proto(kind)
    assert (
        program.reports(model([op("Identity", ["x"], ["y"])], [helper.make_value_info("x", kind)])).code == 0
    )


@pytest.mark.parametrize("depth", [1, 10, 20])
def test_branches_nested_as_deep_as_protobuf_reads_are_reported(program: Program, depth: int) -> None:
    condition = tensor("c", True, bool)
    outcome = program.reports(
        model([nested(depth), op("Relu", [f"o{depth - 1}"], ["y"])], weights=[condition])
    )
    assert outcome.report["model"]["operators"] == depth + 2


def _every_name(name: str) -> ModelProto:
    made = model(
        [op("Relu", [name], ["h"], name=name), op("NoSuchOp", ["h"], ["y"], name=f"odd{name}", domain=name)],
        [typed(name, 1, f"dim {name}")],
    )
    made.producer_name = name
    made.graph.name = made.doc_string = name
    made.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=repr(["", name, "x"]))
    made.metadata_props.add(key=name, value=name)
    return made


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_comes_out_as_it_went_in_and_inert(program: Program, name: str) -> None:
    report = program.reports(_every_name(name)).report
    assert report["nodes"][0]["id"] == name
    assert report["model"]["inputs"][0]["name"] == name
    shown = program("run", "model.onnx")
    assert shown.code == 0
    assert all(char.isprintable() or char == "\n" for char in shown.stdout), repr(shown.stdout)
    assert "\u202e" not in shown.stdout


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_in_an_error_stays_in_its_line(program: Program, name: str) -> None:
    program.refuses(model([op("Relu", [name + "?"], ["y"], name=name)]), "no operator, input or initializer")


def test_an_operator_type_may_be_hostile_too(program: Program) -> None:
    for name in list(HOSTILE.values())[:6]:
        assert program.reports(model([op(name, ["x"], ["y"], name="odd")])).node("odd")["op_type"] == name
        assert program("run", "model.onnx").code == 0


BROKEN = b"\xff\xfe\xc3("


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(
            lambda raw: field(
                7, field(1, field(3, raw) + field(1, b"x") + field(2, b"y2") + field(4, b"Relu"))
            ),
            id="node",
        ),
        pytest.param(
            lambda raw: field(7, field(1, field(4, raw) + field(1, b"x") + field(2, b"y2"))), id="op-type"
        ),
        pytest.param(
            lambda raw: field(7, field(1, field(4, b"Relu") + field(1, b"x") + field(2, raw))), id="output"
        ),
        pytest.param(
            lambda raw: field(7, field(1, field(4, b"Relu") + field(1, raw) + field(2, b"y2"))), id="input"
        ),
        pytest.param(
            lambda raw: field(
                7, field(1, field(4, b"Relu") + field(7, raw) + field(1, b"x") + field(2, b"y2"))
            ),
            id="domain",
        ),
        pytest.param(lambda raw: field(7, field(5, field(8, raw) + b"\x10\x01")), id="initializer"),
        pytest.param(lambda raw: field(7, field(11, field(1, raw))), id="graph-input"),
        pytest.param(lambda raw: field(7, field(12, field(1, raw))), id="graph-output"),
        pytest.param(
            lambda raw: field(
                7,
                field(
                    11, field(1, b"z") + field(2, field(1, b"\x08\x01" + field(2, field(1, field(2, raw)))))
                ),
            ),
            id="dim",
        ),
        pytest.param(lambda raw: field(2, raw), id="producer"),
        pytest.param(lambda raw: field(8, field(1, raw) + b"\x10\x01"), id="opset"),
        pytest.param(
            lambda raw: field(
                7,
                field(
                    1,
                    field(4, b"Odd")
                    + field(1, b"x")
                    + field(2, b"y2")
                    + field(5, field(1, raw) + b"\x18\x01\xa0\x01\x02"),
                ),
            ),
            id="attribute",
        ),
        pytest.param(lambda raw: field(25, field(1, raw) + field(10, b"local")), id="function"),
        pytest.param(lambda raw: field(25, field(1, b"f") + field(10, raw)), id="function-domain"),
    ],
)
def test_a_name_that_is_not_utf8_is_refused(program: Program, holder: object) -> None:
    wire = model([op("Relu", ["x"], ["y"])]).SerializeToString() + holder(BROKEN)  # type: ignore[operator]
    program.refuses(wire, "UTF-8")


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(
            lambda raw: field(
                7, field(1, field(4, b"Relu") + field(6, raw) + field(1, b"x") + field(2, b"z"))
            ),
            id="node-doc",
        ),
        pytest.param(lambda raw: field(6, raw), id="model-doc"),
        pytest.param(lambda raw: field(7, field(2, raw)), id="graph-name"),
        pytest.param(lambda raw: field(14, field(1, raw) + field(2, raw)), id="metadata"),
        pytest.param(lambda raw: field(7, field(13, field(1, raw))), id="value-info"),
        pytest.param(
            lambda raw: field(
                7,
                field(
                    1,
                    field(4, b"Relu")
                    + field(1, b"x")
                    + field(2, b"z")
                    + field(9, field(1, raw) + field(2, raw)),
                ),
            ),
            id="node-metadata",
        ),
        pytest.param(
            lambda raw: field(
                7,
                field(
                    1,
                    field(4, b"Relu")
                    + field(1, b"x")
                    + field(2, b"z")
                    + field(9, field(1, b"pkg.torch.onnx.name_scopes") + field(2, raw)),
                ),
            ),
            id="scopes",
        ),
    ],
)
def test_text_that_nobody_needs_may_be_no_utf8(program: Program, holder: object) -> None:
    wire = model([op("Relu", ["x"], ["y"])]).SerializeToString() + holder(BROKEN)  # type: ignore[operator]
    program.run(wire)


def test_lone_surrogates_written_as_utf8_are_refused(program: Program) -> None:
    wire = field(7, field(1, field(3, b"\xed\xa0\x80") + field(1, b"x") + field(2, b"z") + field(4, b"Relu")))
    program.refuses(model([op("Relu", ["x"], ["y"])]).SerializeToString() + wire, "UTF-8")


@pytest.mark.parametrize("size", [70_000, 2_000_000, 10_000_000])
def test_a_name_of_megabytes_is_refused_briefly(program: Program, size: int) -> None:
    said = program.refuses(model([op("Relu", ["x"], ["y"], name="n" * size)]), "longer than 65,536")
    assert len(said) < 500


def test_long_names_below_the_limit_do_not_swell_error_lines(program: Program) -> None:
    name = "n" * 60_000
    said = program.refuses(model([op("Relu", [name], ["y"], name=name)]))
    assert len(said) < 2_500
    said = program.refuses(model([op("Conv", ["x", "x"], ["y"], name=name, strides=[0])]))
    assert len(said) < 2_500


SYMBOLS = [
    "__import__('os').system('id')",
    "9**9**9",
    "9" * 5000,
    "(" * 5000,
    "-" * 5000 + "1",
    "(" * 90 + "1" + ")" * 90,
    "1" + "+1" * 3000,
    "*".join(["9" * 400] * 150),
    "1<<9999999999",
    "lambda: 1",
    "a if b else c",
    "[" * 2000,
    "floor(" * 50 + "1" + ")" * 50,
    "1//0",
    "1e999",
    "f'{x}'",
    "\\x",
    "\0",
    "batch + " * 1000 + "1",
    "a b c",
    "'quoted'",
    '"double"',
    "=",
    ":",
    "-1",
    "?",
    "None",
]


@pytest.mark.parametrize("symbol", SYMBOLS, ids=range(len(SYMBOLS)))
def test_a_symbol_is_never_run_as_a_program(program: Program, symbol: str) -> None:
    """It is declared where formulas are read: on an input, and on an output nothing else is known of."""
    made = model(
        [op("NoSuchOp", ["x"], ["y"], name="odd")], [typed("x", 2, symbol)], [typed("y", f"{symbol} + 0")]
    )
    outcome = program.reports(made)
    assert outcome.seconds < 5
    assert all(isinstance(dim, int) for dim in outcome.report["model"]["inputs"][0]["shape"])


@pytest.mark.parametrize(
    "scopes",
    [
        "[" * 100_000,
        "[" * 90 + "]" * 90,
        "[" + "-" * 50_000 + "1]",
        "{}" * 10_000,
        "['', " + "'a', " * 10_000 + "'b']",
        "9" * 100_000,
        "['', '<b>', 'x']",
        "__import__('os')",
        "['', b'bytes', 'x']",
        "['', 5, 'x']",
        "\0",
        "'" + "\\" * 10_001,
        "1+" * 50_000 + "1j",
    ],
    ids=range(13),
)
def test_recorded_module_scopes_are_read_as_data_or_not_at_all(program: Program, scopes: str) -> None:
    node = op("Relu", ["x"], ["y"], name="relu")
    node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    outcome = program.reports(model([node]))
    assert outcome.seconds < 5
    assert len(outcome.node("relu")["scope"]) < 100


def test_a_type_that_is_written_twice_is_the_last_one(program: Program) -> None:
    kind = TypeProto.FromString(
        helper.make_tensor_type_proto(1, [2]).SerializeToString()
        + helper.make_sequence_type_proto(TypeProto()).SerializeToString()
    )
    program.run(model(chain(1), [helper.make_value_info("x", kind)], [Y]))


def test_json_is_ascii_safe_where_names_are_not(program: Program) -> None:
    name = "\u2028\u2029\x7f\x80é"
    report = program.reports(_every_name(name))
    assert json.loads(report.stdout)["nodes"][0]["id"] == name
