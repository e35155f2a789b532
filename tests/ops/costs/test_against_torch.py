"""MACs against an independent count: half the FLOPs of torch's own counter on the same computation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the name that torch's documentation uses
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nnea_graph.graph import TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import COST_RULES

Run = Callable[..., torch.Tensor]


def torch_macs(run: Run, tensors: Sequence[torch.Tensor]) -> tuple[int, torch.Tensor]:
    with warnings.catch_warnings(), FlopCounterMode(display=False) as counter:
        warnings.simplefilter("ignore")  # torch warns of its own deprecations
        result = run(*tensors)
    return counter.get_total_flops() // 2, result


@pytest.mark.parametrize(
    ("op_type", "run", "shapes", "attributes"),
    [
        pytest.param("Conv", F.conv1d, [(2, 3, 20), (8, 3, 5)], {}, id="1-D"),
        pytest.param("Conv", F.conv2d, [(2, 3, 20, 18), (8, 3, 3, 5), (8,)], {}, id="2-D with bias"),
        pytest.param("Conv", F.conv3d, [(1, 3, 8, 7, 6), (4, 3, 3, 2, 1)], {}, id="3-D"),
        pytest.param("Conv", F.conv2d, [(1, 8, 9, 9), (12, 2, 3, 3)], {"groups": 4}, id="grouped"),
        pytest.param("Conv", F.conv2d, [(1, 8, 9, 9), (8, 1, 3, 3)], {"groups": 8}, id="depthwise"),
        pytest.param("Conv", F.conv2d, [(1, 3, 15, 15), (4, 3, 3, 3)], {"dilation": 3}, id="dilated"),
        pytest.param(
            "Conv", F.conv2d, [(1, 3, 15, 15), (4, 3, 3, 3)], {"stride": 2, "padding": 1}, id="strided"
        ),
        pytest.param("ConvTranspose", F.conv_transpose1d, [(1, 6, 9), (6, 4, 3)], {}, id="transposed 1-D"),
        pytest.param(
            "ConvTranspose", F.conv_transpose2d, [(1, 6, 9, 9), (6, 4, 3, 3)], {"stride": 2}, id="and 2-D"
        ),
        pytest.param(
            "ConvTranspose",
            F.conv_transpose2d,
            [(1, 6, 9, 9), (6, 4, 3, 3)],
            {"stride": 2, "padding": 1},
            id="cropped",
        ),
        pytest.param(
            "ConvTranspose", F.conv_transpose3d, [(1, 6, 3, 4, 5), (6, 4, 2, 2, 2)], {}, id="and 3-D"
        ),
    ],
)
def test_convolutions(
    op_type: str, run: Run, shapes: list[tuple[int, ...]], attributes: dict[str, int]
) -> None:
    macs, result = torch_macs(lambda *xs: run(*xs, **attributes), [torch.zeros(shape) for shape in shapes])
    axes = len(shapes[0]) - 2
    names = {"stride": "strides", "padding": "pads", "dilation": "dilations"}
    lists = {names[k]: [v] * axes * (2 if k == "padding" else 1) for k, v in attributes.items() if k in names}
    assert counted(op_type, shapes, result, group=attributes.get("groups", 1), **lists) == macs


@pytest.mark.parametrize(
    ("op_type", "run", "shapes", "attributes"),
    [
        pytest.param("Gemm", F.linear, [(5, 7), (3, 7), (3,)], {"transB": 1}, id="linear"),
        pytest.param("MatMul", torch.bmm, [(6, 5, 7), (6, 7, 3)], {}, id="bmm"),
        pytest.param("MatMul", torch.matmul, [(2, 1, 5, 7), (4, 7, 3)], {}, id="broadcast"),
        pytest.param("Attention", F.scaled_dot_product_attention, [(2, 4, 9, 8)] * 3, {}, id="attention"),
        pytest.param(
            "Attention",
            F.scaled_dot_product_attention,
            [(2, 4, 5, 8), (2, 4, 11, 8), (2, 4, 11, 6)],
            {},
            id="cross attention",
        ),
    ],
)
def test_products(op_type: str, run: Run, shapes: list[tuple[int, ...]], attributes: dict[str, int]) -> None:
    with sdpa_kernel(SDPBackend.MATH):  # the counter is blind to the fused kernel of the CPU
        macs, result = torch_macs(run, [torch.zeros(shape) for shape in shapes])
    assert counted(op_type, shapes, result, **attributes) == macs


@pytest.mark.parametrize(
    "equation", ["bij,bjk->bik", "bhqd,bhkd->bhqk", "ij,kj->ik", "abc,cd->abd", "ibnd,jbnd->bnij"]
)
def test_einsum(equation: str) -> None:
    sizes = dict(zip("abcdhijkqn", (2, 3, 4, 5, 2, 3, 4, 5, 6, 2), strict=True))
    shapes = [
        tuple(sizes[label] for label in term) for term in equation.split("->", maxsplit=1)[0].split(",")
    ]
    macs, result = torch_macs(
        lambda *xs: torch.einsum(equation, *xs), [torch.zeros(shape) for shape in shapes]
    )
    assert counted("Einsum", shapes, result, equation=equation) == macs


def counted(op_type: str, shapes: list[tuple[int, ...]], result: torch.Tensor, **attributes: Any) -> int:
    inputs = tuple(TensorInfo(None, shape) for shape in shapes)
    rule = COST_RULES.get(op_type)
    assert rule is not None
    return rule(OpCall(op_type, inputs, (TensorInfo(None, tuple(result.shape)),), attributes)).macs
