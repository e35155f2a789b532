"""Tensors that contradict themselves, and operators that would make tensors no machine can hold."""

from __future__ import annotations

import numpy as np
import pytest
from hostile.support.bombs import BOMBS, HUGE
from hostile.support.models import chain, ints, model, op, tensor, typed
from hostile.support.running import Program
from onnx import ModelProto, NodeProto, TensorProto, helper

RELU = op("Relu", ["x"], ["y"], name="relu")


def raw(dims: list[int], content: bytes, dtype: int = TensorProto.FLOAT) -> TensorProto:
    return TensorProto(name="w", dims=dims, data_type=dtype, raw_data=content)


def _typed_twice() -> TensorProto:
    made = raw([1], b"\0\0\0\0")
    made.float_data.append(1.0)
    return made


BAD = {
    "too-short": raw([2], b"\0\0\0\0"),
    "too-long": raw([1], b"\0" * 8),
    "no-data": TensorProto(name="w", dims=[1000], data_type=1),
    "no-data-for-2-to-40": TensorProto(name="w", dims=[1 << 40], data_type=1),
    "negative-dim": raw([-1], b"\0\0\0\0"),
    "two-negative-dims": raw([-2, -2], b"\0" * 16),
    "product-overflows": raw([1 << 32, 1 << 32], b""),
    "product-overflows-to-0": raw([1 << 32] * 2 + [1 << 1], b""),
    "dims-largest-int64": raw([(1 << 63) - 1] * 3, b""),
    "zero-times-huge": raw([0, HUGE, HUGE], b"\0"),
    "rank-100": raw([1] * 100, b"\0\0\0\0"),
    "rank-1000000": raw([1] * 1_000_000, b"\0\0\0\0"),
    "type-0": raw([1], b"\0\0\0\0", 0),
    "type-250": raw([1], b"\0\0\0\0", 250),
    "type-negative": raw([1], b"\0\0\0\0", -1),
    "int4-with-one-byte": raw([4], b"\0", TensorProto.INT4),
    "float6-too-short": raw([4], b"\0\0", 27),
    "text-as-raw": raw([1], b"text", TensorProto.STRING),
    "text-as-floats": TensorProto(name="w", dims=[1], data_type=TensorProto.STRING, float_data=[1.0]),
    "wrong-field": TensorProto(name="w", dims=[1], data_type=1, int64_data=[1]),
    "two-fields": _typed_twice(),
    "int8-of-1000": TensorProto(name="w", dims=[1], data_type=TensorProto.INT8, int32_data=[1000]),
    "segment": TensorProto(
        name="w", dims=[1], data_type=1, float_data=[1], segment=TensorProto.Segment(begin=0, end=1)
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_tensor_that_contradicts_itself_is_refused_wherever_it_stands(
    program: Program, bad: TensorProto
) -> None:
    program.refuses(model([RELU], weights=[bad]), "tensor" if len(bad.dims) < 10_000 else "")
    program.refuses(model([op("Constant", [], ["w"], value=bad), RELU]))
    program.refuses(model([op("NoSuchOp", ["x"], ["z"], inside=bad), RELU]))


def _sparse(values: TensorProto, indices: TensorProto, dims: list[int]) -> ModelProto:
    made = model([RELU])
    values.name = "s"
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, dims))
    return made


@pytest.mark.parametrize(
    ("indices", "dims"),
    [
        pytest.param([5], [5], id="outside"),
        pytest.param([-1], [5], id="negative"),
        pytest.param([0], [1 << 40], id="dense-form-too-large"),
        pytest.param([0], [HUGE, HUGE], id="dims-overflow"),
        pytest.param([0, 1, 2], [5], id="more-indices-than-values"),
        pytest.param([0], [-5], id="negative-dim"),
        pytest.param([], [5], id="no-indices"),
    ],
)
def test_a_sparse_tensor_that_contradicts_itself_is_refused(
    program: Program, indices: list[int], dims: list[int]
) -> None:
    program.refuses(_sparse(tensor("s", [1.0]), ints("i", *indices), dims), "'s'")


SPECIAL = {
    "nan": ([np.nan] * 600, 600, 0),
    "infinity": ([np.inf, -np.inf] * 300, 0, 600),
    "one-nan": ([np.nan] + [1.0] * 599, 1, 0),
    "largest": ([3.4e38] * 600, 0, 0),
    "smallest": ([1e-45] * 600, 0, 0),
    "zero": ([0.0] * 600, 0, 0),
    "minus-zero": ([-0.0] * 600, 0, 0),
}


@pytest.mark.parametrize(("values", "nan", "inf"), SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_weights_that_are_no_numbers_are_counted_and_nothing_is_silently_nan(
    program: Program, values: list[float], nan: int, inf: int, dtype: type[np.floating]
) -> None:
    with np.errstate(over="ignore"):
        weight = np.array(values, dtype).reshape(4, 150)
    if dtype is np.float16:
        inf = int(np.isinf(weight).sum())
    made = model(
        [op("MatMul", ["x", "w"], ["y"], name="matmul")],
        [typed("x", 1, 4, dtype=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))],
        weights=[tensor("w", weight, dtype)],
    )
    outcome = program.run(made)  # which refuses NaN in the JSON
    assert outcome.code == (1 if nan + inf else 0)
    metrics = outcome.report["layers"][0]["weight_metrics"]
    assert (metrics["nan"], metrics["inf"], metrics["count"]) == (nan, inf, 600 - nan - inf)
    assert ("NNEA106" in outcome.rules()) == bool(nan + inf)
    assert program("run", "model.onnx").code == outcome.code


def test_exit_zero_lets_a_report_with_an_error_pass(program: Program) -> None:
    made = model([op("MatMul", ["x", "w"], ["y"])], weights=[tensor("w", np.full((4, 4), np.nan))])
    assert program.run(made).code == 1
    assert program.run(made, "--exit-zero").code == 0


@pytest.mark.parametrize(("nodes", "weights"), BOMBS.values(), ids=BOMBS)
def test_a_tensor_that_no_machine_can_hold_is_counted_and_never_made(
    program: Program, nodes: list[NodeProto], weights: list[TensorProto]
) -> None:
    outcome = program.run(model(nodes, weights=weights))
    assert outcome.peak_bytes < 700 << 20
    assert outcome.seconds < 10
    if outcome.code == 2:
        assert "node '" in outcome.stderr
    else:
        assert outcome.report["model"]["operators"] == len(nodes)
        assert program("run", "model.onnx").code == outcome.code


@pytest.mark.parametrize(
    "shape",
    [(1 << 30, 1 << 30), (HUGE, HUGE), ((1 << 63) - 1,), (1 << 40,) * 60],
    ids=["2^60", "2^124", "2^63", "2^2400"],
)
def test_an_input_of_any_size_has_a_cost_to_the_digit(program: Program, shape: tuple[int, ...]) -> None:
    outcome = program.reports(
        model([op("Abs", ["x"], ["h"]), op("Relu", ["h"], ["y"], name="relu")], [typed("x", *shape)])
    )
    elements = 1
    for dim in shape:
        elements *= dim
    assert outcome.node("relu")["other_flops"] == elements
    assert outcome.report["totals"]["peak_activation_bytes"] == 2 * 4 * elements
    assert program("run", "model.onnx").code == 0


def test_a_product_of_huge_matrices_is_counted_to_the_digit(program: Program) -> None:
    made = model(
        [op("MatMul", ["x", "w"], ["y"], name="matmul")], [typed("x", HUGE, HUGE), typed("w", HUGE, HUGE)]
    )
    assert program.reports(made).node("matmul")["macs"] == HUGE**3


def test_thousands_of_small_values_do_not_add_up_to_gigabytes(program: Program) -> None:
    """Each is below the size to which values are followed; 2 MB of file would become 1.3 GB of numbers."""
    nodes = [op("ConstantOfShape", ["s"], [f"c{n}"]) for n in range(40_000)]
    fill = tensor("", [1.0], np.float64)
    for node in nodes:
        node.attribute.add(name="value", type="TENSOR").t.CopyFrom(fill)
    outcome = program.reports(model([*nodes, RELU], weights=[ints("s", 4096)]), "-p", "shape_inference")
    assert outcome.peak_bytes < 800 << 20


def test_a_chain_of_expanding_constants_is_not_evaluated_again_for_every_reader(program: Program) -> None:
    """A hundred weights that each are the end of a chain of a hundred constants."""
    chained = [op("Add", [f"a{n}" if n else "w", "w"], [f"a{n + 1}"]) for n in range(100)]
    readers = [op("MatMul", ["x", f"a{n + 1}"], [f"y{n}"], name=f"m{n}") for n in range(100)]
    made = model(
        [*chained, *readers, op("Sum", [f"y{n}" for n in range(100)], ["y"])],
        weights=[tensor("w", np.ones((4, 20_000)))],
    )
    assert len(program.reports(made).report["layers"]) == 100


def test_two_hundred_thousand_initializers_are_read(program: Program) -> None:
    weights = [TensorProto(name=f"w{n}", dims=[1], data_type=1, raw_data=b"\0\0\0\0") for n in range(200_000)]
    assert program.reports(model([RELU], weights=weights)).report["totals"]["weight_bytes"] == 800_000


def test_thousands_of_layers_with_a_weight_each_are_measured(program: Program) -> None:
    nodes = chain(500, "Mul")
    for n, node in enumerate(nodes):
        node.input.append(f"w{n}")
    made = model(nodes, weights=[tensor(f"w{n}", [1.0, 2.0, 3.0, n]) for n in range(500)])
    assert len(program.reports(made).report["layers"]) == 500


def test_a_chain_of_thirty_thousand_nodes_is_reported(program: Program) -> None:
    outcome = program.reports(model(chain(30_000)))
    assert outcome.report["totals"]["other_flops"] == 4 * 30_000


def test_more_nodes_than_the_limit_are_refused(program: Program) -> None:
    made = model(chain(30_000))
    assert program.run(made, "--limit", "nodes=29_999").code == 2
    assert program.run(made, "--limit", "nodes=30_000", "-p", "cost").code == 0


def test_symbols_that_no_size_fits_do_not_multiply_the_time(program: Program) -> None:
    inputs = [typed("x", 1, 4), *(typed(f"i{n}", f"s{n}x", f"t{n}x") for n in range(20))]
    nodes = [*chain(5_000), op("Reshape", ["i0", "s"], ["z"], name="misfit")]
    outcome = program.reports(model(nodes, inputs, weights=[ints("s", 7, 11, 13, 17)]))
    assert "NNEA104" in outcome.rules()
