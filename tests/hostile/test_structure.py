"""Graphs that are no graphs, unknown operators, and shapes of models that nobody makes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hostile.support.models import X, Y, chain, field, graph, ints, model, op, tensor, typed
from hostile.support.running import Program
from onnx import ModelProto, NodeProto, TensorProto, helper

RELU = op("Relu", ["x"], ["y"], name="relu")


def _twice(first: str, second: str) -> ModelProto:
    return model([op("Relu", ["x"], [first]), op("Relu", ["x"], [second])])


def _without_opset() -> ModelProto:
    made = model([RELU])
    del made.opset_import[:]
    return made


def _without_graph() -> ModelProto:
    made = model([RELU])
    made.ClearField("graph")
    return made


def _with_domain(domain: str, version: int) -> ModelProto:
    made = model([op("Scaler", ["x"], ["y"], domain=domain)])
    made.opset_import.append(helper.make_opsetid(domain, version))
    return made


def _with_two_opsets() -> ModelProto:
    made = model([RELU])
    made.opset_import.append(helper.make_opsetid("ai.onnx", 13))
    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(
            lambda: model(
                [op("Relu", ["b"], ["a"], name="one"), op("Relu", ["a"], ["b"], name="two")], outputs=[]
            ),
            ["cycle", "one", "two"],
            id="cycle",
        ),
        pytest.param(
            lambda: model([op("Relu", ["y"], ["y"], name="ouroboros")]),
            ["cycle", "ouroboros"],
            id="self-loop",
        ),
        pytest.param(
            lambda: model(
                [op("Relu", [f"t{(n + 1) % 20_000}"], [f"t{n}"]) for n in range(20_000)], outputs=[]
            ),
            ["cycle", "Relu_19999 -> ", "19992 more"],
            id="cycle-of-20000",
        ),
        pytest.param(lambda: model([op("Relu", ["nothing"], ["y"])]), ["'nothing'"], id="undefined-input"),
        pytest.param(lambda: model([op("Relu", ["x"], ["z"])]), ["output 'y'"], id="output-nobody-makes"),
        pytest.param(lambda: _twice("y", "y"), ["two producers", "'y'"], id="two-producers"),
        pytest.param(
            lambda: model([op("Split", ["x"], ["y", "y"])]), ["two producers", "'y'"], id="one-node-twice"
        ),
        pytest.param(lambda: _twice("x", "y"), ["two producers", "'x'"], id="overwrites-input"),
        pytest.param(
            lambda: model([op("Relu", ["x"], ["w"])], weights=[tensor("w", [1])]),
            ["two producers", "'w'"],
            id="overwrites-weight",
        ),
        pytest.param(
            lambda: model([RELU], weights=[tensor("w", [1]), tensor("w", [2])]),
            ["two producers", "'w'"],
            id="weight-twice",
        ),
        pytest.param(lambda: model([RELU], inputs=[X, X]), ["two producers", "'x'"], id="input-twice"),
        pytest.param(_without_opset, ["no operator set"], id="no-opset"),
        pytest.param(lambda: model([RELU], opset=9999), ["9999"], id="opset-9999"),
        pytest.param(lambda: model([RELU], opset=-1), ["-1"], id="opset-negative"),
        pytest.param(
            lambda: _with_domain("ai.onnx.ml", 1 << 62), ["ai.onnx.ml opset"], id="ml-opset-of-2-to-62"
        ),
        pytest.param(lambda: _with_domain("own", -1), ["own opset -1"], id="own-opset-negative"),
        pytest.param(lambda: model([RELU], opset=0), ["opset 0"], id="opset-0"),
        pytest.param(
            _with_two_opsets, ["operator set 'ai.onnx'", "21 and 13"], id="two-opsets-of-one-domain"
        ),
        pytest.param(_without_graph, ["no graph"], id="no-graph"),
        pytest.param(lambda: model([op("Constant", [], ["y"])]), ["'y'"], id="constant-without-value"),
        pytest.param(
            lambda: model([op("Constant", [], ["y"], value_int=1, value_float=1.0)]),
            ["'y'", "2 values"],
            id="constant-with-two",
        ),
        pytest.param(
            lambda: model([op("Constant", [], [], value_int=1), RELU]),
            ["Constant"],
            id="constant-without-output",
        ),
    ],
)
def test_a_graph_that_contradicts_itself_is_refused_by_name(
    program: Program, make: Callable[[], ModelProto], said: list[str]
) -> None:
    program.refuses(make(), *said)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: model([], outputs=[X]), id="no-nodes"),
        pytest.param(lambda: model([], inputs=[], outputs=[]), id="nothing-at-all"),
        pytest.param(lambda: model([RELU], outputs=[X]), id="output-is-input"),
        pytest.param(lambda: model([RELU], outputs=[Y, Y]), id="output-twice"),
        pytest.param(
            lambda: model([], outputs=[typed("w", 2)], weights=[tensor("w", [1, 2])]), id="output-is-weight"
        ),
        pytest.param(
            lambda: model([RELU], inputs=[typed("x", 2)], weights=[tensor("x", [1, 2])]),
            id="input-has-default",
        ),
        pytest.param(lambda: model([RELU], weights=[tensor("w", np.zeros((0, 3)))]), id="empty-weight"),
        pytest.param(
            lambda: model([op("MatMul", ["x", "w"], ["y"])], weights=[tensor("w", np.zeros((4, 0)))]),
            id="matmul-by-nothing",
        ),
        pytest.param(lambda: model([op("Dropout", ["x", "", ""], ["y", ""])]), id="all-optionals-left-out"),
        pytest.param(lambda: model([RELU], inputs=[typed("x")]), id="scalar-input"),
        pytest.param(lambda: model([RELU], inputs=[typed("x", 0, 4)]), id="input-of-no-elements"),
        pytest.param(lambda: model([RELU], inputs=[typed("x", -5, 4)]), id="input-of-negative-dim"),
        pytest.param(
            lambda: model([RELU], inputs=[helper.make_empty_tensor_value_info("x")]), id="input-without-type"
        ),
        pytest.param(lambda: model([RELU], outputs=[typed("y", 7, 7, 7)]), id="output-declared-otherwise"),
        pytest.param(lambda: model([op("Concat", ["x"] * 10_000, ["y"], axis=0)]), id="concat-of-10000"),
        pytest.param(lambda: model([op("Sum", ["x"] * 100_000, ["y"])]), id="node-with-100000-inputs"),
        pytest.param(
            lambda: model([op("Split", ["x"], ["y", *(f"o{n}" for n in range(3))], axis=1, num_outputs=4)]),
            id="split-of-4",
        ),
    ],
)
def test_a_strange_but_possible_graph_is_reported(program: Program, make: Callable[[], ModelProto]) -> None:
    made = make()
    assert program.reports(made).report["model"]["operators"] == len(made.graph.node)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(op("Relu", [""], ["z"], name="odd"), id="required-input-left-out"),
        pytest.param(op("Relu", ["x"], [""], name="odd"), id="required-output-left-out"),
        pytest.param(op("Relu", ["x"], [], name="odd"), id="no-outputs"),
        pytest.param(op("Relu", ["x"], ["z", "w"], name="odd"), id="two-outputs-for-one"),
        pytest.param(op("Relu", ["x", "x"], ["z"], name="odd"), id="two-inputs-for-one"),
        pytest.param(op("Relu", [], ["z"], name="odd"), id="no-inputs"),
        pytest.param(op("Add", ["x"], ["z"], name="odd"), id="one-input-for-two"),
        pytest.param(op("If", ["x"], ["z"], name="odd"), id="if-without-branches"),
        pytest.param(op("Loop", ["x", "x"], ["z"], name="odd"), id="loop-without-body"),
    ],
)
def test_a_node_with_the_wrong_number_of_inputs_or_outputs_is_refused(
    program: Program, node: NodeProto
) -> None:
    program.refuses(model([RELU, node]), "odd", node.op_type)


def test_an_unsorted_graph_is_analysed_in_our_own_order_and_says_so(program: Program) -> None:
    backwards = [
        op("Relu", ["c"], ["y"], name="last"),
        op("Abs", ["b"], ["c"], name="mid"),
        op("Neg", ["x"], ["b"], name="first"),
    ]
    report = program.reports(model(backwards)).report
    assert [node["id"] for node in report["nodes"]] == ["first", "mid", "last"]
    assert [node["shapes"] for node in report["nodes"]] == [[[1, 4]]] * 3
    assert "NNEA101" in [finding["rule"] for finding in report["findings"]]


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(op("NoSuchOp", ["x"], ["y"], name="odd"), id="unknown-op"),
        pytest.param(op("Relu", ["x"], ["y"], name="odd", domain="org.nowhere"), id="unknown-domain"),
        pytest.param(op("Relu", ["x"], ["y"], name="odd", domain="x" * 3000), id="long-domain"),
        pytest.param(op("", ["x"], ["y"], name="odd"), id="empty-op-type"),
        pytest.param(op("NoSuchOp", ["x"] * 5000, ["y"], name="odd"), id="unknown-op-with-5000-inputs"),
        pytest.param(op("NoSuchOp", [], ["y"], name="odd"), id="unknown-op-without-inputs"),
        pytest.param(
            op(
                "NoSuchOp",
                ["x"],
                ["y"],
                name="odd",
                body=graph([op("Relu", ["x"], ["z"])], [], [typed("z", 1)]),
            ),
            id="body",
        ),
        pytest.param(
            op("NoSuchOp", ["x"], ["y"], name="odd", dims=[1 << 62], text="a" * 100_000), id="attributes"
        ),
    ],
)
def test_the_cost_of_an_unknown_operator_is_unknown_never_zero(program: Program, node: object) -> None:
    outcome = program.reports(model([node]))  # type: ignore[list-item]
    odd = outcome.node("odd")
    assert (odd["status"], odd["macs"], odd["flops"], odd["other_flops"]) == ("unknown", None, None, None)
    assert outcome.report["totals"]["coverage"]["unknown"] == len(outcome.report["nodes"])
    assert "NNEA103" in outcome.rules()


def test_nodes_without_inputs_and_outputs_are_unknown_too(program: Program) -> None:
    outcome = program.reports(model([RELU, op("Nothing", [], [], name="odd")]))
    assert outcome.node("odd")["status"] == "unknown"


@pytest.mark.parametrize("kind", ["sequence", "optional", "map", "string"])
def test_inputs_that_are_no_tensors_of_numbers_are_reported(program: Program, kind: str) -> None:
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
    types = {
        "sequence": helper.make_sequence_type_proto(inner),
        "optional": helper.make_optional_type_proto(helper.make_sequence_type_proto(inner)),
        "map": helper.make_map_type_proto(TensorProto.INT64, inner),
        "string": helper.make_tensor_type_proto(TensorProto.STRING, [3]),
    }
    source = helper.make_value_info("x", types[kind])
    outcome = program.reports(model([op("Identity", ["x"], ["y"], name="same")], inputs=[source]))
    assert outcome.node("same")["status"] in {"exact", "unknown"}


def test_a_declared_shape_that_contradicts_inference_does_not_win(program: Program) -> None:
    made = model([op("Relu", ["x"], ["h"], name="relu"), op("Abs", ["h"], ["y"])])
    made.graph.value_info.append(typed("h", 1000, 1000))
    assert program.reports(made).node("relu")["shapes"] == [[1, 4]]


def test_a_declaration_of_a_tensor_that_is_not_there_is_ignored(program: Program) -> None:
    made = model([RELU])
    made.graph.value_info.extend([typed("ghost", 1), typed("ghost", 2), typed("", 3)])
    assert program.reports(made).report["totals"]["macs"] == 0


def test_two_nodes_of_one_name_keep_ids_of_their_own(program: Program) -> None:
    outcome = program.reports(model([op("Relu", ["x"], ["h"], name="n"), op("Relu", ["h"], ["y"], name="n")]))
    assert [node["id"] for node in outcome.report["nodes"]] == ["n", "n_2"]
    assert "NNEA102" in outcome.rules()


def test_ids_stay_unique_where_names_imitate_the_numbering(program: Program) -> None:
    names = ["Relu_0", "", "n", "n", "n_2", "n"]
    nodes = chain(len(names))
    for node, name in zip(nodes, names, strict=True):
        node.name = name
    ids = [node["id"] for node in program.reports(model(nodes)).report["nodes"]]
    assert len(set(ids)) == len(names)


def test_thousands_of_nodes_of_one_name_take_no_quadratic_time(program: Program) -> None:
    assert program.reports(model(chain(30_000, name="same"))).report["model"]["operators"] == 30_000


def test_training_information_and_metadata_are_not_in_the_way(program: Program) -> None:
    made = model([RELU])
    info = made.training_info.add()
    info.algorithm.node.append(op("Relu", ["nothing"], ["z"]))
    made.metadata_props.add(key="k" * 1000, value="v" * 1_000_000)
    assert program.reports(made).report["totals"]["coverage"]["exact"] == 1


def test_fields_that_onnx_does_not_define_are_skipped(program: Program) -> None:
    wire = model([RELU]).SerializeToString() + field(900, b"from the future" * 10_000)
    assert program.reports(wire).report["model"]["operators"] == 1


def test_a_graph_written_in_two_parts_is_merged_as_protobuf_does(program: Program) -> None:
    first, second = model([op("Relu", ["x"], ["h"])], outputs=[]), model([op("Abs", ["h"], ["y"])], inputs=[])
    whole = first.SerializeToString() + field(7, second.graph.SerializeToString())
    assert program.reports(whole).report["model"]["operators"] == 2


def test_weights_nobody_reads_are_no_layers(program: Program) -> None:
    made = model([RELU], weights=[ints("unused", 1, 2, 3), tensor("floats", np.ones((50, 50)))])
    report = program.reports(made).report
    assert report["layers"] == []
    assert report["totals"]["parameters"] == 0
