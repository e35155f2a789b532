"""Training FLOPs by reachability, against hand-worked counts and against what torch's autograd executes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from model_zoo import families
from model_zoo.lenet import lenet_5_caffe, mlp
from model_zoo.transformers import bert_base, vit
from onnx import ModelProto
from oracles.builder import Net
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nnea_graph.api.analyze import analyze
from nnea_graph.errors import UsageError

FC1, FC2, FC3 = 20 * 128, 128 * 64, 64 * 10
FORWARD = 2 * (FC1 + FC2 + FC3)
CONV1, CONV2, IP1, IP2 = 288_000, 1_600_000, 400_000, 5_000


def spent(model: ModelProto, *frozen: str, **dims: int) -> int:
    """Gradients alone, as MACs."""
    totals = analyze(model, passes="cost", dims=dims, training="exact", frozen=list(frozen)).totals
    assert totals.training_flops is not None
    assert totals.flops is not None
    gradients, odd = divmod(totals.training_flops - totals.flops, 2)
    assert odd == 0
    return gradients


@pytest.mark.parametrize("gemm", [pytest.param(True, id="Gemm"), pytest.param(False, id="MatMul + Add")])
@pytest.mark.parametrize(
    ("frozen", "gradients"),
    [
        # the first layer needs no gradient of its input, the others need both
        pytest.param([], FC1 + 2 * FC2 + 2 * FC3, id="all train"),
        pytest.param(["fc1*"], FC2 + 2 * FC3, id="first frozen: the second is now the first"),
        pytest.param(["fc3*"], FC1 + 2 * FC2 + FC3, id="last frozen: it still hands the gradient on"),
        pytest.param(["fc1*", "fc2*"], FC3, id="only the head trains"),
        pytest.param(["fc*"], 0, id="nothing trains"),
    ],
)
def test_dense_layers_need_a_gradient_of_weights_and_of_what_trains_before(
    gemm: bool,  # noqa: FBT001 - a column of the table
    frozen: list[str],
    gradients: int,
) -> None:
    model = mlp(20, 128, 64, 10, gemm=gemm)
    totals = analyze(model, passes="cost", training="exact", frozen=frozen).totals
    assert totals.flops == FORWARD
    assert totals.training_flops == FORWARD + 2 * gradients


@pytest.mark.parametrize(
    ("frozen", "gradients"),
    [
        pytest.param([], CONV1 + 2 * (CONV2 + IP1 + IP2), id="all train"),
        pytest.param(["conv1*"], CONV2 + 2 * (IP1 + IP2), id="conv1 frozen"),
        pytest.param(["conv*"], IP1 + 2 * IP2, id="convolutions frozen"),
        pytest.param(["ip1"], CONV1 + 2 * CONV2 + IP1 + 2 * IP2, id="a layer between frozen"),
    ],
)
def test_lenet_5_trains_at_the_cost_of_the_gradients_it_needs(frozen: list[str], gradients: int) -> None:
    assert spent(lenet_5_caffe(), *frozen) == gradients


def test_the_convention_is_four_times_the_forward_count() -> None:
    totals = analyze(lenet_5_caffe(), passes="cost").totals
    assert totals.training_flops == 4 * 4_586_000


def test_a_frozen_pattern_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"--frozen: no weight.* is called 'conv9\*'"):
        analyze(lenet_5_caffe(), passes="cost", training="exact", frozen=["conv9*"])


def test_frozen_layers_without_exact_training_are_an_error() -> None:
    with pytest.raises(UsageError, match="it needs --training exact"):
        analyze(lenet_5_caffe(), passes="cost", frozen=["conv1*"])


@pytest.mark.parametrize(
    ("model", "gradients"),
    [
        # nothing trains and nothing is reached
        pytest.param(
            families.attention_23((1, 2, 4, 8), (1, 2, 6, 8), (1, 2, 6, 8)), 0, id="attention alone"
        ),
        # x W trains W alone; every later trip hands the gradient to the one before
        pytest.param(families.loop(7, 2, 3), 7 * 18 + 7 * 18, id="loop: state counted in every trip"),
        pytest.param(families.conditional(2, 3, 4, 5), 30, id="If: the costlier branch"),
        # input weights 3 x 16, recurrent 4 x 16 a step; the state's gradient in all steps but the first
        pytest.param(
            families.recurrent("LSTM", 4, (5, 1, 3, 4), 1),
            5 * 48 + 5 * 64 + 4 * 64,
            id="LSTM: input has no gradient",
        ),
        pytest.param(
            families.convolution((1, 8, 8, 8), (8, 1, 3, 3), group=8, pads=[1] * 4),
            512 * 9,
            id="depthwise conv: of its weights",
        ),
        pytest.param(families.qdq_convolution((1, 3, 6, 6), (4, 3, 3, 3)), 144 * 27, id="QDQ conv"),
    ],
)
def test_gradients_of_families_are_those_worked_by_hand(model: ModelProto, gradients: int) -> None:
    assert spent(model) == gradients


def behind_dense(op_type: str, *trained: str, **attributes: Any) -> ModelProto:
    """Attention over three inputs; those named come from dense layers of 8 x 8 that train."""
    net = Net()
    operands = []
    for name, rows in (("q", 4), ("k", 6), ("v", 6)):
        x = net.input(name, 1, rows, 8)
        operands.append(net.op("MatMul", x, net.weight(8, 8)) if name in trained else x)
    return net.model(net.op(op_type, *operands, **attributes), opset=23)


ONE = 4 * 6 * 8
"""MACs of scores, and of mixing."""


@pytest.mark.parametrize(
    ("trained", "gradients"),
    [
        # the dense layers need a gradient of their weights: rows x 8 x 8
        pytest.param("qkv", 16 * 64 + 4 * ONE, id="all: both operands of both products"),
        pytest.param("q", 4 * 64 + 2 * ONE, id="query: scores once, probabilities once"),
        pytest.param("qk", 10 * 64 + 3 * ONE, id="query and key: scores twice, probabilities once"),
        pytest.param("v", 6 * 64 + ONE, id="value: mixing once"),
    ],
)
@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        pytest.param("Attention", {"q_num_heads": 2, "kv_num_heads": 2}, id="Attention-23"),
        pytest.param("MultiHeadAttention", {"num_heads": 2, "domain": families.MICROSOFT}, id="contrib"),
    ],
)
def test_attention_needs_the_gradients_of_what_trains_behind_it(
    op_type: str, attributes: dict[str, Any], trained: str, gradients: int
) -> None:
    assert spent(behind_dense(op_type, *trained, **attributes)) == gradients


def test_a_tensor_times_itself_needs_both_gradients() -> None:
    net = Net()
    hidden = net.op("MatMul", net.input("x", 8, 8), net.weight(8, 8))
    assert spent(net.model(net.op("MatMul", hidden, hidden))) == 8**3 + 2 * 8**3


def test_no_gradient_passes_through_an_index() -> None:
    net = Net()
    hidden = net.op("MatMul", net.input("x", 8, 8), net.weight(8, 8))
    chosen = net.op("Gather", net.input("y", 8, 8), net.op("ArgMax", hidden, axis=1, keepdims=0))
    assert spent(net.model(net.op("MatMul", chosen, net.weight(8, 8)))) == 2 * 8**3


def test_bert_base_needs_both_gradients_everywhere_but_at_its_input() -> None:
    forward = 11_173_625_856
    # query, key and value of the first layer read the model's input
    assert spent(bert_base(), batch=1, sequence=128) == 2 * forward - 3 * 128 * 768**2


def test_vit_needs_both_gradients_everywhere_but_at_its_image() -> None:
    assert spent(vit(32, 768, 12, 12)) == 2 * 4_409_186_304 - 49 * 768 * 3 * 32 * 32


# Against autograd

X = torch.ones(2, 3, 8, 8)


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2),  # torch counts the weights' gradient of groups as if there were none
        nn.ConvTranspose2d(6, 2, 3, stride=2),
        nn.Flatten(),
        nn.Linear(98, 5),
    )


def dense_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.Tanh(), nn.Linear(16, 16), nn.Linear(16, 3))


class Unrolled(nn.Module):
    """An LSTM cell run over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = (torch.zeros(2, 5), torch.zeros(2, 5))
        for row in x.transpose(1, 2).reshape(2, 8, 24).unbind(1):
            state = self.cell(row, state)
        return state[0]


def backward_macs(module: nn.Module, frozen: str) -> int:
    """MACs of the products that autograd executes."""
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(not (frozen and name.startswith(frozen)))
    result = module(X)
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    return int(counter.get_total_flops()) // 2


def exported(module: nn.Module) -> ModelProto:
    program = torch.onnx.export(
        module.eval(), (X,), dynamo=True, verbose=False, external_data=False, optimize=False
    )
    assert program is not None
    return program.model_proto


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
@pytest.mark.parametrize(
    ("build", "frozen"),
    [
        *((conv_net, name) for name in ("", "0.", "2.", "3.", "5.")),
        *((dense_net, name) for name in ("", "1.", "3.", "4.")),
    ],
)
def test_gradients_are_the_products_that_autograd_executes(
    build: Callable[[], nn.Module], frozen: str
) -> None:
    module = build()
    patterns = [f"{frozen}*"] if frozen else []
    assert spent(exported(module), *patterns) == backward_macs(module, frozen)


def test_an_lstm_costs_what_autograd_executes_for_its_unrolled_cell() -> None:
    assert spent(families.recurrent("LSTM", 4, (8, 2, 24, 5), 1)) == backward_macs(Unrolled(), "")
