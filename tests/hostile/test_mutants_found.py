"""Models that the fuzzer has found: each was an internal error or a failed pass once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from hostile.support.running import Program
from onnx import ModelProto, TensorProto

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.axis_labels import real_letters
from nnea_graph.ops.call import BadCallError

WEIGHT = tensor("w", np.ones((4, 4)))
MATMUL = op("MatMul", ["h", "w"], ["y"], name="matmul")


def of_no_version(op_type: str, **attributes: Any) -> ModelProto:
    """An operator that its version of the domain does not define yet, or no longer."""
    return model([op(op_type, ["x"], ["h"], name="odd", **attributes), MATMUL], weights=[WEIGHT])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (of_no_version("TensorScatter", axis="<script>"), "'axis' is STRING"),
        (of_no_version("RotaryEmbedding", interleaved="1"), "'interleaved' is STRING"),
    ],
)
def test_attributes_of_an_operator_of_another_version_have_their_types(
    program: Program, made: ModelProto, said: str
) -> None:
    made.opset_import[0].version = 20
    program.refuses(made, said, "odd")


@pytest.mark.parametrize("version", [-(1 << 62), -1, (1 << 31), (1 << 62) + 1])
def test_a_version_of_the_format_that_nobody_has_is_analyzed(program: Program, version: int) -> None:
    made = model([op("Relu", ["x"], ["h"]), MATMUL], weights=[WEIGHT])
    made.ir_version = version
    made.opset_import.add(domain="mine", version=version)
    outcome = program.run(made)
    assert outcome.code in {0, 2}


@pytest.mark.parametrize("op_type", ["LayerNormalization", "PRelu", "MatMul", "Gemm"])
def test_a_scalar_in_the_place_of_a_weight_fails_no_pass(program: Program, op_type: str) -> None:
    made = model([op(op_type, ["x", "s"], ["h"], name="odd"), MATMUL], weights=[WEIGHT, tensor("s", 0.5)])
    path = program.save(made)
    outcome = program("run", path, "--format", "json", "-q", may_run=True)
    assert outcome.code in {0, 2}, outcome.stderr
    if outcome.code == 0:
        assert [each for each in outcome.report["passes"] if each["status"] != "ok"] == []
    assert program("prune", path, "--plan-only", "--no-run", "-q").code in {0, 2}


@pytest.mark.parametrize("dims", [(0, 4), (0, 1, 4), (4, 0), (0,)])
def test_a_tensor_without_elements_fails_no_pass(program: Program, dims: tuple[int, ...]) -> None:
    added = op("Add", ["x", "none"], ["h"], name="add")
    made = model(
        [added, op("Mul", ["h", "none"], ["m"]), op("MatMul", ["m", "w"], ["y"])],
        weights=[tensor("none", np.ones(dims)), WEIGHT],
    )
    path = program.save(made)
    outcome = program("run", path, "--format", "json", "-q", "-o", "out", may_run=True)
    assert outcome.code in {0, 2}, outcome.stderr
    assert "Warning" not in outcome.stderr
    if outcome.code == 0:
        assert [each for each in outcome.report["passes"] if each["status"] != "ok"] == []


def test_the_sizes_of_a_reshape_in_a_table_fail_no_plan(program: Program) -> None:
    made = model(
        [
            op("MatMul", ["x", "w"], ["h"], name="first"),
            op("Reshape", ["h", "sizes"], ["r"], name="reshape"),
            op("MatMul", ["r", "w"], ["y"], name="second"),
        ],
        [typed("x", 1, 4)],
        [typed("y", 1, 4)],
        [WEIGHT, tensor("sizes", [[1, 4]], np.int64)],
    )
    path = program.save(made)
    assert program("prune", path, "--plan-only", "--align", "1", "--rounds", "2", "-q").code in {0, 2}


INDICES = tensor("i", [1, 0], np.int64)
NAMED: dict[str, ModelProto] = {
    "one-gather": model([op("Gather", ["x", "i"], ["y"], axis=1)], weights=[INDICES]),
    "one-gather-of-a-table": model(
        [op("Gather", ["w", "n"], ["y"])], [typed("n", 3, dtype=TensorProto.INT64)], weights=[WEIGHT]
    ),
    "flatten-without-an-output": model([op("Flatten", ["x"], [""], name="odd"), op("Relu", ["x"], ["y"])]),
    "relu-without-an-output": model([op("Relu", ["x"], [], name="odd"), op("Relu", ["x"], ["y"])]),
    "a-huge-input": model([op("MatMul", ["x", "w"], ["y"])], [typed("x", 1 << 40, 4)], weights=[WEIGHT]),
    "a-huge-input-of-int64": model(
        [op("Gather", ["w", "x"], ["y"])], [typed("x", 1 << 62, dtype=TensorProto.INT64)], weights=[WEIGHT]
    ),
    "more-axes-than-starts": model(
        [op("Slice", ["x", "i", "e", "a"], ["h"], name="odd"), MATMUL],
        weights=[
            tensor("i", [0], np.int64),
            tensor("e", [2], np.int64),
            tensor("a", [0, 1], np.int64),
            WEIGHT,
        ],
    ),
    "prelu-of-a-long-slope": model(
        [op("PRelu", ["x", "s"], ["h"]), MATMUL], weights=[tensor("s", np.ones((3, 1, 4))), WEIGHT]
    ),
    "matmul-of-a-row": model([op("MatMul", ["x", "v"], ["y"])], weights=[tensor("v", np.ones(4))]),
    "einsum-of-strange-letters": model(
        [op("Einsum", ["x", "w"], ["h"], equation="aé,éb->ab"), MATMUL], weights=[WEIGHT]
    ),
    "einsum-of-too-few-letters": model(
        [op("Einsum", ["x", "w"], ["h"], equation="a,ab"), MATMUL], weights=[WEIGHT]
    ),
}


@pytest.mark.parametrize("made", NAMED.values(), ids=NAMED)
def test_a_model_that_was_an_internal_error_is_reported_or_refused(
    program: Program, made: ModelProto
) -> None:
    path = program.save(made)
    outcome = program("run", path, "--format", "json", "-q", "-o", "out", may_run=True)
    assert outcome.code in {0, 1, 2}, outcome.stderr
    assert outcome.stderr.count("\n") == (outcome.code == 2)
    if outcome.code != 2:
        assert [each for each in outcome.report["passes"] if each["status"] != "ok"] == []
    assert program("prune", path, "--plan-only", "--no-run", "-q").code in {0, 2}


def test_channels_along_axes_that_an_operator_has_no_letters_for_end_with_a_reason() -> None:
    channels = ChannelTensor("h", (2,), (4,))
    with pytest.raises(BadCallError, match="'h' has more dims than the operator takes"):
        real_letters(channels, ("a", "b"))
    assert real_letters(channels, ("a", "b", "c")) == ("c",)
