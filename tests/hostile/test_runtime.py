"""The default run, which runs the model: whatever that is, the report comes out, and says what was not run and why."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hostile.support.bombs import BOMBS
from hostile.support.models import chain, graph, ints, model, op, tensor, typed
from hostile.support.running import MEMORY, Outcome, Program, check
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

HUGE = 1 << 62
BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64
PEAK = 300_000_000
LIMITED = ("-p", "+activations{seconds=4}", "--limit", f"activation_bytes={PEAK}")
OWN = 700 << 20
"""What a process with onnxruntime takes at most beside the activations."""

MATMUL = op("MatMul", ["h", "w"], ["y"], name="matmul")
SQUARE = tensor("w", np.ones((4, 4)))


def default_run(program: Program, made: ModelProto, options: Sequence[str] = LIMITED) -> Outcome:
    """As a user starts it, but with smaller limits; its peak is that of the process that runs the model, too."""
    path = program.save(made)
    outcome = program("run", path, "--format", "json", *options, may_run=True)
    assert outcome.peak_bytes < max(MEMORY, PEAK + OWN)
    check(outcome, path)
    assert outcome.code == 0, outcome.stderr
    return outcome


def not_run(outcome: Outcome) -> str:
    """Why the model was not run, which the finding says as well."""
    reason: str = outcome.report["data"]["not_run"]
    found = [each["message"] for each in outcome.report["findings"] if each["rule"] == "NNEA108"]
    assert found == ([f"the model was not run: {reason}"] if reason else [])
    layers = [each["metrics_reason"] for each in outcome.report["layers"] if each["metrics"] is None]
    assert all(layers)
    assert len(layers) == len(outcome.report["layers"]) or not reason
    return reason


def looped(
    body: Sequence[NodeProto], shape: Sequence[int | None] = (1, 4), collects: str = "", trips: str = "n"
) -> ModelProto:
    """A loop of 2^62 trips whose condition stays true; ``body`` makes ``b`` of ``a``, and what it ``collects``."""
    ends = [typed("again", dtype=BOOL), typed("b", *shape), *([typed(collects, *shape)] if collects else [])]
    inner = graph(
        [*body, op("Identity", ["keep"], ["again"])],
        [typed("i", dtype=INT64), typed("keep", dtype=BOOL), typed("a", *shape)],
        ends,
    )
    outputs = ["h", "all"] if collects else ["h"]
    loop = op("Loop", [trips, "go", "x"], outputs, name="loop", body=inner)
    weights = [tensor("n", HUGE, np.int64), tensor("go", True, np.bool_), SQUARE]
    return model([loop, MATMUL], weights=[*weights, ints("many", 100_000, 1)])


def body_of(made: ModelProto) -> GraphProto:
    """The body of its loop."""
    body: GraphProto = made.graph.node[0].attribute[0].g
    return body


def from_data(*nodes: NodeProto, weights: Sequence[TensorProto] = (), factor: float = 1e10) -> ModelProto:
    """``n`` is a number of elements that only the data tell, about ``factor``; the nodes make ``h`` with it."""
    counted = [
        op("ReduceMax", ["x"], ["r"], keepdims=0),
        op("Abs", ["r"], ["size"]),
        op("Mul", ["size", "factor"], ["f"]),
        op("Cast", ["f"], ["whole"], to=INT64),
        op("Unsqueeze", ["whole", "axis"], ["n"]),
    ]
    given = [tensor("factor", factor), ints("axis", 0), SQUARE, *weights]
    return model([*counted, *nodes, MATMUL], weights=given)


SUM = op("ReduceSum", ["b"], ["sum"], keepdims=0)
ADD = op("Add", ["x", "sum"], ["h"])
LONG = (1 << 20, 1 << 20)

TIME_UP = "the time for running the model is up"
NO_MEMORY = "memory"
TOO_LARGE = "bytes of activations"

STOPPED: dict[str, tuple[ModelProto, str]] = {
    "endless-loop": (looped([op("Relu", ["a"], ["b"])]), TIME_UP),
    "endless-loop-that-collects": (
        looped([op("Relu", ["a"], ["b"]), op("Identity", ["a"], ["s"])], collects="s"),
        TOO_LARGE,
    ),
    "loop-without-trips-that-collects": (
        looped(
            [op("Relu", ["a"], ["b"]), op("Tile", ["a", "many"], ["s"])], (None, 4), collects="s", trips=""
        ),
        NO_MEMORY,
    ),
    "endless-loop-that-doubles": (
        looped([op("Concat", ["a", "a"], ["b"], axis=0)], shape=(None, 4)),
        NO_MEMORY,
    ),
    "endless-loop-in-a-loop": (
        looped([op("Loop", ["n", "go", "a"], ["b"], body=body_of(looped([op("Relu", ["a"], ["b"])])))]),
        TIME_UP,
    ),
    "constant-of-shape": (
        model([op("ConstantOfShape", ["s"], ["b"]), SUM, ADD, MATMUL], weights=[ints("s", *LONG), SQUARE]),
        NO_MEMORY,
    ),
    "constant-of-shape-by-data": (from_data(op("ConstantOfShape", ["n"], ["b"]), SUM, ADD), NO_MEMORY),
    "tile-by-data": (
        from_data(
            op("Concat", ["one", "n"], ["t"], axis=0),
            op("Tile", ["x", "t"], ["b"]),
            SUM,
            ADD,
            weights=[ints("one", 1)],
            factor=1e8,
        ),
        NO_MEMORY,
    ),
    "expand-by-data": (
        from_data(
            op("Concat", ["n", "four"], ["t"], axis=0),
            op("Expand", ["x", "t"], ["b"]),
            SUM,
            ADD,
            weights=[ints("four", 4)],
        ),
        NO_MEMORY,
    ),
    "range-by-data": (
        from_data(
            op("Range", ["zero", "f", "step"], ["b"]),
            SUM,
            ADD,
            weights=[tensor("zero", 0.0), tensor("step", 1.0)],
        ),
        NO_MEMORY,
    ),
    "one-hot-by-data": (
        from_data(
            op("OneHot", ["i", "n", "v"], ["b"]),
            SUM,
            ADD,
            weights=[ints("i", 0), tensor("v", [0.0, 1.0])],
        ),
        NO_MEMORY,
    ),
    "expand": (
        model([op("Expand", ["x", "s"], ["b"]), SUM, ADD, MATMUL], weights=[ints("s", 1 << 38, 4), SQUARE]),
        TOO_LARGE,
    ),
    "tile": (
        model([op("Tile", ["x", "s"], ["b"]), SUM, ADD, MATMUL], weights=[ints("s", 1 << 38, 1), SQUARE]),
        TOO_LARGE,
    ),
    "pad": (
        model([op("Pad", ["x", "s"], ["b"]), SUM, ADD, MATMUL], weights=[ints("s", 0, 0, *LONG), SQUARE]),
        TOO_LARGE,
    ),
    "input-of-100-gb": (
        model([op("MatMul", ["x", "w"], ["y"])], [typed("x", 6_000_000_000, 4)], weights=[SQUARE]),
        TOO_LARGE,
    ),
    "outer-product": (
        model(
            [
                op("Transpose", ["x"], ["t"], perm=[1, 0]),
                op("MatMul", ["t", "x"], ["b"]),
                SUM,
                op("MatMul", ["x", "v"], ["y"], name="matmul"),
                op("Add", ["y", "sum"], ["z"]),
            ],
            [typed("x", 1, 1 << 18)],
            [typed("z")],
            [tensor("v", np.ones((1 << 18, 1)))],
        ),
        TOO_LARGE,
    ),
    "one-operator-of-minutes": (
        # 10^12 additions on 20 MB: onnxruntime does not stop in an operator.
        model(
            [
                op("AveragePool", ["x"], ["h"], kernel_shape=[1001, 1001]),
                op("Conv", ["h", "w"], ["y"], name="conv"),
            ],
            [typed("x", 1, 1, 2000, 2000)],
            weights=[tensor("w", np.ones((1, 1, 1, 1)))],
        ),
        TIME_UP,
    ),
    "unknown-operator": (model([op("NoSuchOp", ["x"], ["h"]), MATMUL], weights=[SQUARE]), "NoSuchOp"),
    "custom-domain": (
        model([op("Foo", ["x"], ["h"], domain="my.domain"), MATMUL], weights=[SQUARE], domains=["my.domain"]),
        "my.domain",
    ),
    "type-that-onnxruntime-lacks": (
        model(
            [
                op("Cast", ["x"], ["c"], to=TensorProto.BFLOAT16),
                op("Relu", ["c"], ["r"]),
                op("Cast", ["r"], ["h"], to=TensorProto.FLOAT),
                MATMUL,
            ],
            weights=[SQUARE],
        ),
        "onnxruntime cannot",
    ),
}


@pytest.mark.parametrize(("made", "said"), STOPPED.values(), ids=STOPPED)
def test_a_run_that_must_not_be_is_stopped_or_refused_and_the_report_says_why(
    program: Program, made: ModelProto, said: str
) -> None:
    patient = (
        "-p",
        "+activations{seconds=60}",
        *LIMITED[2:],
    )  # memory is up before, however busy the machine is
    outcome = default_run(program, made, LIMITED if said == TIME_UP else patient)
    assert said in not_run(outcome)
    assert outcome.report["model"]["operators"] >= len(made.graph.node)


@pytest.mark.parametrize(("nodes", "weights"), BOMBS.values(), ids=BOMBS)
def test_a_tensor_that_no_machine_can_hold_does_not_take_down_the_default_run(
    program: Program, nodes: list[NodeProto], weights: list[TensorProto]
) -> None:
    path = program.save(model(nodes, weights=weights))
    outcome = program("run", path, "--format", "json", *LIMITED, may_run=True)
    check(outcome, path)
    if outcome.code != 2:
        not_run(outcome)


def test_more_operators_than_onnxruntime_copes_with_are_not_run(program: Program) -> None:
    made = model([*chain(100_001)[:-1], op("Relu", ["t99999"], ["h"]), MATMUL], weights=[SQUARE])
    path = program.save(made)
    outcome = program("run", path, "--format", "json", "-p", "cost,importance", may_run=True)
    assert outcome.code == 0
    assert not_run(outcome).startswith("the model has 100,002 operators; onnxruntime is not run on more than")


@pytest.mark.parametrize("seconds", [1, 3])
def test_the_time_of_a_run_is_kept(program: Program, seconds: int) -> None:
    made, _ = STOPPED["endless-loop"]
    path = program.save(made)
    options = ("-p", f"activations{{seconds={seconds}}}")
    start = time.monotonic()
    outcome = program("run", path, "--format", "json", *options, may_run=True)
    assert TIME_UP in not_run(outcome)
    assert time.monotonic() - start >= seconds


def test_an_endless_run_on_real_data_is_an_error_in_the_report(program: Program) -> None:
    made, _ = STOPPED["endless-loop"]
    np.savez(program.folder / "d.npz", x=np.ones((1, 4), np.float32))
    path = program.save(made)
    outcome = program(
        "run", path, "--data", "d.npz", "--format", "json", "-p", "+activations{seconds=2}", may_run=True
    )
    check(outcome, path)
    assert outcome.code == 1
    assert TIME_UP in not_run(outcome)
    assert outcome.report["layers"][0]["weight_metrics"] is not None
