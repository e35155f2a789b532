"""Operators that change numbers one by one, or rescale them: channel i of the output is channel i of the input."""

from __future__ import annotations

import numpy as np

from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.operand_rank import OperandRank
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule, channels
from nnea_graph.ops.call import UnknownFactError
from nnea_graph.ops.registry import MICROSOFT


def one_to_one(standing: OperandRank | None = None) -> ChannelRule:
    """Every output that has the shape of the first input; ``standing`` None is the input's own."""

    def rule(site: OpContext) -> None:
        site.carry(0)
        if standing is not None:
            site.stand(min(standing, site.standing(0)))

    return rule


def norm(axis: int) -> ChannelRule:
    """One to one; what it scales along ``axis`` is a hint at the channels of an input."""

    def rule(site: OpContext) -> None:
        if site.draft.scouting and site.channels(0) is not None:
            rank = len(site.dims(0))
            site.demand(0, (axis % rank,) if -rank <= axis < rank else (), dense=False)
        site.carry(0)

    return rule


PLAIN = (
    "Abs Acos Acosh Asin Asinh Atan Atanh Bernoulli Cast CastLike Ceil Celu Cos Cosh "
    "DequantizeLinear Dropout DynamicQuantizeLinear Elu Exp Floor Hardmax Identity LRN LeakyRelu "
    "Log LogSoftmax LpNormalization MeanVarianceNormalization Mod Neg PRelu Pow QuantizeLinear "
    "Reciprocal Round Selu Shrink Sign Sin Sinh Softplus Softsign Sqrt Tan ThresholdedRelu "
    "BitShift BitCast"
)
GATES = ["Sigmoid", "HardSigmoid", "Softmax"]
BOUNDED = ["Tanh", "Erf"]
ACTIVATIONS = ["Relu", "Gelu", "Swish", "HardSwish", "Mish"]

CHANNEL_RULES.add(one_to_one(), *PLAIN.split())
CHANNEL_RULES.add(one_to_one(OperandRank.GATE), *GATES)
CHANNEL_RULES.add(one_to_one(OperandRank.BOUNDED), *BOUNDED)
CHANNEL_RULES.add(one_to_one(OperandRank.ACTIVATION), *ACTIVATIONS)

CHANNEL_RULES.add(one_to_one(), "DequantizeLinear", "QLinearLeakyRelu", "QuantizeLinear", domain=MICROSOFT)
CHANNEL_RULES.add(
    one_to_one(OperandRank.GATE), "BiasSoftmax", "QLinearSigmoid", "QLinearSoftmax", domain=MICROSOFT
)
CHANNEL_RULES.add(
    one_to_one(OperandRank.ACTIVATION), "BiasGelu", "FastGelu", "Gelu", "QuickGelu", domain=MICROSOFT
)

CHANNEL_RULES.add(norm(1), "BatchNormalization", "InstanceNormalization", "GroupNormalization")
CHANNEL_RULES.add(norm(-1), "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
CHANNEL_RULES.add(norm(-1), "GroupNorm", "LayerNormalization", domain=MICROSOFT)


@channels("RotaryEmbedding")
@channels("RotaryEmbedding", domain=MICROSOFT)
def rotary(site: OpContext) -> None:
    """Turns channels in pairs."""
    site.carry(0, mark="rotary: each channel followed as itself")


@channels("Clip")
def clip(site: OpContext) -> None:
    """A clip to numbers from 0 up to a bound is what hard sigmoid and hard swish are written with."""
    site.carry(0)
    low, high = _bound(site, 1, "min"), _bound(site, 2, "max")
    if low is not None and high is not None and low >= 0 and np.isfinite(high):
        site.stand(min(OperandRank.GATE, site.standing(0)))


def _bound(site: OpContext, index: int, attribute: str) -> float | None:
    """A bound where it is known: the last inputs from opset 11 on, attributes below."""
    if site.name(index):
        values = site.call.values[index]
        return None if values is None or values.size != 1 else float(values.reshape(-1)[0])
    listed = site.call.attr(attribute)
    return None if listed is None else float(listed)


@channels("CumSum", "CumProd")
def running(site: OpContext) -> None:
    """Running totals keep channels apart unless they run along them."""
    source = site.channels(0)
    if source is not None and int(site.call.value(1).reshape(-1)[0]) % len(site.dims(0)) in source.real:
        raise UnknownFactError("running totals over channels")
    site.carry(0)


@channels("ReverseSequence")
def reverse_sequence(site: OpContext) -> None:
    """Turns positions round; which, the lengths say while it runs."""
    source = site.channels(0)
    if source is not None and int(site.call.attr("time_axis", 0)) in source.real:
        raise UnknownFactError("turns channels round by lengths that the data decide")
    site.carry(0)


@channels("TopK")
def top_k(site: OpContext) -> None:
    """Sorts positions; sorted channels are channels no more."""
    source = site.channels(0)
    if source is not None and int(site.call.attr("axis", -1)) % len(site.dims(0)) in source.real:
        raise UnknownFactError("sorts channels by their values")
    site.carry(0)
