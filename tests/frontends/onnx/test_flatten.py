"""A model's graph, bodies and inlined functions as one flat list."""

from __future__ import annotations

import numpy as np
import pytest
from hostile.support.models import call, function, graph, model, op, tensor, typed
from onnx import AttributeProto, TensorProto, helper

from nnea_graph.api.analyze import load
from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.shared.limits import Limits


def test_nodes_without_names_are_numbered_by_type() -> None:
    made = model([op("Relu", ["x"], ["a"]), op("Abs", ["a"], ["b"]), op("Relu", ["b"], ["y"])])
    assert [node.id for node in load(made)] == ["Relu_0", "Abs_0", "Relu_1"]


def test_ids_carry_the_path_of_the_bodies_they_lie_in() -> None:
    inner = graph([op("Relu", ["x"], ["t"], name="leaf")], [], [typed("t")])
    middle = graph(
        [op("If", ["c"], ["u"], name="inner", then_branch=inner, else_branch=inner)], [], [typed("u")]
    )
    made = model(
        [op("If", ["c"], ["y"], name="outer", then_branch=middle, else_branch=middle)],
        [typed("x", 1), typed("c", dtype=TensorProto.BOOL)],
    )
    flat = load(made)
    assert "outer/else_branch/inner/then_branch/leaf" in [node.id for node in flat]
    assert list(flat.bodies) == sorted(flat.bodies, key=lambda path: path.count("/")) or all(
        body.outer in [*list(flat.bodies)[:place], ""] for place, body in enumerate(flat.bodies.values())
    )


def test_names_in_bodies_do_not_collide_with_outer_ones() -> None:
    body = graph([op("Relu", ["x"], ["h"])], [], [typed("h")])
    nodes = [op("Abs", ["x"], ["h"]), op("If", ["c"], ["y"], name="if", then_branch=body, else_branch=body)]
    flat = load(model(nodes, [typed("x", 1), typed("c", dtype=TensorProto.BOOL)]))
    made = [name for node in flat for name in node.outputs]
    assert len(made) == len(set(made)) == 4


def test_a_function_is_put_in_the_place_of_its_call() -> None:
    body = [op("Relu", ["a"], ["t"], name="r"), op("Abs", ["t"], ["b"])]
    made = model(
        [call("f", "x", "m"), call("f", "m", "y")], functions=[function("f", body)], domains=["local"]
    )
    flat = load(made)
    assert [node.id for node in flat] == ["f_0/r", "f_0/Abs_0", "f_1/r", "f_1/Abs_0"]
    assert [node.inputs for node in flat] == [("x",), ("f_0/t",), ("m",), ("f_1/t",)]
    assert [node.outputs for node in flat] == [("f_0/t",), ("m",), ("f_1/t",), ("y",)]


def test_attributes_of_a_call_win_over_the_functions_defaults() -> None:
    node = op("Softmax", ["a"], ["b"])
    node.attribute.append(AttributeProto(name="axis", type="INT", ref_attr_name="where"))
    soft = function("f", [node], attribute_protos=[helper.make_attribute("where", 0)])
    given = op("f", ["x"], ["m"], domain="local", where=1)
    flat = load(model([given, call("f", "m", "y")], functions=[soft], domains=["local"]))
    assert [node.attributes["axis"] for node in flat] == [1, 0]


def test_initializers_and_constant_nodes_are_constants_not_operators() -> None:
    nodes = [
        op("Constant", [], ["c"], value=tensor("", [1.0, 2.0])),
        op("Constant", [], ["i"], value_ints=[1, 2, 3]),
        op("Constant", [], ["f"], value_float=0.5),
        op("Constant", [], ["s"], value_strings=["a", "b"]),
        op("Relu", ["x"], ["y"]),
    ]
    flat = load(model(nodes, weights=[tensor("w", np.ones((2, 3)))]))
    assert len(flat) == 1
    shapes = {name: (constant.dtype.name, constant.shape) for name, constant in flat.constants.items()}
    assert shapes == {
        "w": ("float32", (2, 3)),
        "c": ("float32", (2,)),
        "i": ("int64", (3,)),
        "f": ("float32", ()),
        "s": ("string", (2,)),
    }
    assert flat.constants["i"].array().tolist() == [1, 2, 3]


def test_an_input_with_an_initializer_is_no_input() -> None:
    made = model(
        [op("Add", ["x", "w"], ["y"])], [typed("x", 2), typed("w", 2)], weights=[tensor("w", [1, 2])]
    )
    assert load(made).inputs == ("x",)


def test_negative_and_unnamed_dims_are_unknown_symbols_keep_their_name() -> None:
    info = load(model([op("Relu", ["x"], ["y"])], [typed("x", -1, None, "n", 0, 7)])).tensors["x"]
    assert info.shape == (None, None, "n", 0, 7)


@pytest.mark.parametrize(("limits", "said"), [(Limits(nodes=1), "nodes=N"), (Limits(rank=1), "rank=N")])
def test_limits_hold(limits: Limits, said: str) -> None:
    made = model([op("Relu", ["x"], ["h"]), op("Relu", ["h"], ["y"])])
    with pytest.raises(LimitError, match=said):
        load(made, limits)


def test_bodies_nested_beyond_the_limit_are_refused() -> None:
    body = graph([op("Relu", ["x"], ["t"])], [], [typed("t")])
    made = model([op("If", ["x"], ["y"], then_branch=body, else_branch=body)])
    for name in ("one", "two", "three"):
        made.graph.node[0].output[0] = name
        outer = graph([made.graph.node[0]], [], [typed(name)])
        made = model([op("If", ["x"], ["y"], then_branch=outer, else_branch=outer)])
    load(made, Limits(nesting=4))
    with pytest.raises(LimitError, match="nesting=N"):
        load(made, Limits(nesting=3))


def test_a_data_type_that_onnx_does_not_define_is_refused() -> None:
    with pytest.raises(ModelError, match="data type 99"):
        load(model([op("Relu", ["x"], ["y"])], [typed("x", 1, dtype=99)]))
