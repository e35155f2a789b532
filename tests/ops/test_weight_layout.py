"""Which channel each weight of an operator meets: layouts by hand, and their one general promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.weight_layout import Layout, layouts

MICROSOFT = "com.microsoft"


def found(
    op_type: str, *shapes: tuple[int, ...] | None, domain: str = "", outputs: int = 1, **attributes: Any
) -> dict[int, Layout]:
    float32 = BY_NAME["float32"]
    infos = tuple(None if shape is None else TensorInfo(float32, shape) for shape in shapes)
    unknown = TensorInfo(None, None)
    call = OpCall(op_type, infos, (unknown,) * outputs, attributes, domain=domain)
    return {layout.weight: layout for layout in layouts(call)}


X4 = (2, 6, 5, 5)

LAYOUTS = [
    pytest.param(
        found("Conv", X4, (8, 3, 3, 3), group=2)[1],
        Layout(1, ("input", 0), 1, 1, 0, groups=2, leads_to=(0, 1)),
        id="Conv",
    ),
    pytest.param(
        found("ConvTranspose", X4, (6, 4, 2, 2), group=3)[1],
        Layout(1, ("input", 0), 1, 0, 1, groups=3, leads_to=(0, 1)),
        id="ConvTranspose",
    ),
    pytest.param(
        found("Gemm", (2, 3), (3, 4))[1], Layout(1, ("input", 0), 1, 0, 1, leads_to=(0, 1)), id="Gemm"
    ),
    pytest.param(
        found("Gemm", (3, 2), (4, 3), transA=1, transB=1)[1],
        Layout(1, ("input", 0), 0, 1, 0, leads_to=(0, 1)),
        id="Gemm-transposed",
    ),
    pytest.param(
        found("Gemm", (2, 3), (3, 4))[0], Layout(0, ("input", 1), 0, 1, 0, leads_to=(0, 0)), id="Gemm-left"
    ),
    pytest.param(
        found("MatMul", (2, 5, 3), (3, 4))[1],
        Layout(1, ("input", 0), -1, -2, -1, leads_to=(0, -1)),
        id="MatMul",
    ),
    pytest.param(
        found("MatMul", (4, 3), (2, 3, 5))[0],
        Layout(0, ("input", 1), -2, -1, -2, leads_to=(0, -2)),
        id="MatMul-left",
    ),
    pytest.param(
        found("MatMul", (2, 3), (3,))[1],
        Layout(1, ("input", 0), -1, -1, None, leads_to=None),
        id="MatMul-vector",
    ),
    pytest.param(
        found("MatMul", (3,), (2, 3, 5))[0],
        Layout(0, ("input", 1), -2, -1, None, leads_to=None),
        id="MatMul-vector-left",
    ),
    pytest.param(
        found("MatMul", (4, 3), (3,))[0],
        Layout(0, ("input", 1), -1, -1, -2, leads_to=(0, -1)),
        id="MatMul-of-vector",
    ),
    pytest.param(
        found("FusedMatMul", (2, 3), (4, 3), domain=MICROSOFT, transB=1)[1],
        Layout(1, ("input", 0), -1, -1, -2, leads_to=(0, -1)),
        id="FusedMatMul",
    ),
    pytest.param(
        found("LSTM", (7, 2, 6), (1, 20, 6), (1, 20, 5))[2],
        Layout(2, ("output", 0), -1, 2, 1, leads_to=(0, -1), gates=4),
        id="LSTM-state",
    ),
    pytest.param(
        found("Gather", (9, 4), (2, 3), axis=1)[0],
        Layout(0, ("input", 1), 0, 1, None, rows=True),
        id="Gather-along-1",
    ),
    pytest.param(
        found("LayerNormalization", (2, 3, 4), (3, 4))[1],
        Layout(1, ("input", 0), -1, -1, -1, leads_to=(0, -1)),
        id="LayerNormalization-of-two-axes",
    ),
    pytest.param(
        found("Mul", (2, 6, 5), (6, 1))[1], Layout(1, ("input", 0), -2, 0, 0, leads_to=(0, -2)), id="Mul"
    ),
]


@pytest.mark.parametrize(("layout", "expected"), LAYOUTS)
def test_a_weight_meets_these_channels(layout: Layout, expected: Layout) -> None:
    assert layout == expected


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(found("Mul", (2, 6, 5), (6, 5)), id="of-two-axes"),
        pytest.param(found("Mul", (2, 6, 5), (1, 1)), id="of-none"),
        pytest.param(found("Add", (2, 6), (6,)), id="added"),
        pytest.param(found("FusedMatMul", (2, 3), (3, 4), domain=MICROSOFT, transA=1), id="transposed-data"),
        pytest.param(found("Conv", X4, (8, 3, 3, 3), domain="elsewhere"), id="another-domain"),
    ],
)
def test_where_channels_are_not_clear_there_is_no_layout(call: dict[int, Layout]) -> None:
    assert call == {}


SPREAD = [
    pytest.param(Layout(1, ("input", 0), 1, 1, 0), (4, 3, 2), [[0, 1, 2]] * 4, id="conv"),
    pytest.param(
        Layout(1, ("input", 0), 1, 1, 0, groups=2), (4, 2, 2), [[0, 1]] * 2 + [[2, 3]] * 2, id="groups"
    ),
    pytest.param(
        Layout(1, ("input", 0), 1, 0, 1, groups=2), (4, 2, 2), [[n] * 2 for n in range(4)], id="transposed"
    ),
    pytest.param(Layout(1, ("input", 0), -1, -2, -1), (3, 4), [[n] * 4 for n in range(3)], id="matmul"),
]


@pytest.mark.parametrize(("layout", "shape", "expected"), SPREAD)
def test_activations_go_to_the_weights_that_meet_them(
    layout: Layout, shape: tuple[int, ...], expected: list[list[int]]
) -> None:
    spread = layout.spread(shape, np.arange(layout.channels(shape), dtype=np.float64))
    wide = np.broadcast_to(spread, shape)
    assert wide.reshape(*shape[:2], -1)[:, :, 0].tolist() == expected


@pytest.mark.parametrize(("layout", "shape", "expected"), SPREAD)
def test_seen_from_the_output_a_weight_has_the_other_sides_channels(
    layout: Layout, shape: tuple[int, ...], expected: list[list[int]]
) -> None:
    del expected
    turned = layout.seen_from_output(len(shape))
    assert turned is not None
    assert (turned.in_axis, turned.out_axis, turned.groups) == (
        layout.out_axis,
        layout.in_axis,
        layout.groups,
    )
    assert turned.data == ("output", 0)


def test_a_vector_chosen_from_has_no_channels_to_lead_to() -> None:
    assert Layout(0, ("input", 1), 0, 0, None, rows=True).seen_from_output(1) is None
    assert Layout(0, ("input", 1), 0, 1, None, rows=True).seen_from_output(2) is None
