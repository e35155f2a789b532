"""Mixtures of experts: every token runs k of them, whichever they are, so the count is exact."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from nnea_graph.ops.attribute_checks import need, same, shaped, whole, word
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.elementwise import FUNCTIONS, GELU, SILU, TANH_GELU, activation_flops
from nnea_graph.ops.costs.softmax import SOFTMAX
from nnea_graph.ops.registry import MICROSOFT

GATED = {"swiglu": SILU + 1, "geglu": TANH_GELU + 1}
PLAIN = {"silu": SILU, "gelu": GELU}


@dataclass(frozen=True, slots=True)
class ExpertLayers:
    """Inputs with the weights and biases of an expert's layers; the third layer is gated by the first."""

    first: int
    second: int
    third: int
    biases: tuple[int, int, int]


@work("MoE", domain=MICROSOFT)
def mixture(call: OpCall) -> OperatorCost:
    """Each chosen expert runs fc1, its activation, fc2, and fc3 where it is there; results are mixed."""
    layers = ExpertLayers(2, 4, 6, (3, 5, 7))
    return _experts(call, layers, inner=shaped(call, layers.second, 3)[2])


@work("QMoE", domain=MICROSOFT)
def quantized_mixture(call: OpCall) -> OperatorCost:
    """Same as ``MoE`` with packed weights, which are unpacked once an expert and run."""
    layers = ExpertLayers(2, 5, 8, (4, 7, 10))
    last = shaped(call, layers.second, 3)[2]
    counted = _experts(call, layers, inner=last * 8 // _bits(call))
    return counted + OperatorCost(other_flops=2 * (counted.macs // max(prod(call.shape(0)[:-1]), 1)))


def _bits(call: OpCall) -> int:
    """Width of a weight of fc2 in the bytes that hold it; an element of its own is as wide as its byte."""
    kind = word(call, "quant_type", "int")
    if kind not in {"int", "fp4", "nvfp4"}:
        return 8
    if kind != "int":
        return 4
    return whole(call, "fc2_expert_weight_bits", 0) or whole(call, "expert_weight_bits", 4, least=1)


def _experts(call: OpCall, layers: ExpertLayers, *, inner: int) -> OperatorCost:
    tokens, chosen = _routing(call)
    hidden = call.shape(0)[-1]
    width = shaped(call, layers.first, 3)[1]
    need(inner > 0, "the weights of fc2 have no columns")
    if width not in {inner, 2 * inner}:
        raise UnknownFactError(
            f"fc1 is {width} wide and fc2 takes {inner}: the layout of the weights is not known"
        )
    runs = tokens * chosen
    first, second, third = (call.has(index) for index in layers.biases)
    total = dot_products(runs * width, hidden, bias=first) + dot_products(runs * hidden, inner, bias=second)
    if call.has(layers.third):
        total += dot_products(runs * inner, hidden, bias=third)
    return total + OperatorCost(other_flops=runs * (inner * _activation(call) + 2 * hidden)) + _router(call)


def _activation(call: OpCall) -> int:
    left_out = "swiglu" if call.op_type == "MoEPacked" else "relu"
    name = word(call, "activation_type", left_out).lower()
    return GATED.get(name) or PLAIN.get(name) or activation_flops(name)


def _routing(call: OpCall) -> tuple[int, int]:
    """Tokens, and experts that each of them runs."""
    shape, router = shaped(call, 0, 2, 3), shaped(call, 1, 2)
    tokens, chosen = prod(shape[:-1]), whole(call, "k", 1, least=1)
    same(router[0], tokens, "tokens of the input and of the router differ")
    need(chosen <= router[1], f"k is {chosen}, there are {router[1]} experts")
    return tokens, chosen


def _router(call: OpCall) -> OperatorCost:
    return OperatorCost(other_flops=SOFTMAX * call.size(1))


@work("MoEPacked", domain=MICROSOFT)
def packed_mixture(call: OpCall) -> OperatorCost:
    """Gate and value (where it is there) of each chosen expert, its activation, and the way down."""
    tokens, chosen = _routing(call)
    hidden, inner = call.shape(0)[-1], shaped(call, 2, 3)[1]
    runs = tokens * chosen
    up = dot_products(runs * inner * (1 + call.has(3)), hidden)
    down = dot_products(runs * hidden, inner)
    return (
        up + down + OperatorCost(other_flops=runs * (inner * _activation(call) + 2 * hidden)) + _router(call)
    )


@work("MoEGroupRouter", domain=MICROSOFT)
def group_router(call: OpCall) -> OperatorCost:
    """The projection where it is there; a sigmoid, a bias, a search and a log an expert."""
    experts = shaped(call, 1, 1)[0]
    shape = call.shape(0)
    need(shape, "input 0 is a scalar")
    rows = prod(shape[:-1])
    projected = dot_products(rows * experts, shape[-1]) if call.has(2) else OperatorCost()
    return projected + OperatorCost(other_flops=rows * experts * (FUNCTIONS["Sigmoid"] + 4))
