"""Convolutions: every output element is a dot product with one filter, kernel x channels / group terms."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnea_graph.ops.attribute_checks import need, parts, same, whole, wholes, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.elementwise import activation_flops
from nnea_graph.ops.costs.layout import NCHWC
from nnea_graph.ops.costs.pooling import REQUANTIZE
from nnea_graph.ops.registry import MICROSOFT


def convolution(
    call: OpCall, *, data: int = 0, weight: int = 1, bias: int = 2, channels_last: bool = False
) -> OperatorCost:
    """Output elements x (kernel x input channels / group) terms; padding counts as if it were data.

    The arguments say which inputs are which. A weight is (out channels, channels / group, kernel …) always.
    """
    image, filters = call.shape(data), call.shape(weight)
    need(len(image) >= 3, f"input {data} has rank {len(image)}, it has no spatial axes")
    same(len(filters), len(image), "ranks of weight and data differ")
    channels, spatial = (image[-1], image[1:-1]) if channels_last else (image[1], image[2:])
    group = whole(call, "group", 1, least=1)
    same(
        parts(channels, group, "input channels"),
        filters[1],
        "input channels of a group and of the weight differ",
    )
    parts(filters[0], group, "output channels")
    check_kernel(call, filters[2:])
    check_reach(call, spatial, filters[2:])
    return dot_products(call.out_size(), prod(filters[1:]), bias=call.has(bias))


def check_kernel(call: OpCall, kernel: Sequence[int]) -> None:
    """Refuse a kernel of another size than the weight's, and strides, dilations or pads that cannot be."""
    same(wholes(call, "kernel_shape", kernel, least=1), tuple(kernel), "kernel_shape and the weight differ")
    for name in ("strides", "dilations"):
        wholes(call, name, (1,) * len(kernel), least=1)


def check_reach(call: OpCall, spatial: Sequence[int], kernel: Sequence[int]) -> None:
    """Refuse a dilated kernel that is larger than the padded data."""
    if word(call, "auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        return
    axes = len(kernel)
    pads = wholes(call, "pads", (0,) * (2 * axes))
    strides = wholes(call, "strides", (1,) * axes, least=1)
    dilations = wholes(call, "dilations", (1,) * axes, least=1)
    for axis in range(axes):
        padded = spatial[axis] + pads[axis] + pads[axis + axes]
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        need(
            padded - reach + strides[axis] >= 0,
            f"a kernel that reaches {reach} is over padded data of {padded}",
        )


@work("Conv")
def conv(call: OpCall) -> OperatorCost:
    """See ``convolution``."""
    return convolution(call)


@work("Conv", domain=NCHWC)
@work("FusedConv", domain=MICROSOFT)
def fused_conv(call: OpCall) -> OperatorCost:
    """A convolution, the tensor that is added to it, and an activation."""
    return convolution(call) + fused_tail(call)


@work("NhwcConv", "NhwcFusedConv", domain=MICROSOFT)
def nhwc_conv(call: OpCall) -> OperatorCost:
    """Same as ``fused_conv`` on data whose channels come last."""
    return convolution(call, channels_last=True) + fused_tail(call)


def fused_tail(call: OpCall) -> OperatorCost:
    """Cost of what is fused into an operator: an add where input 3 is there, and the activation it names."""
    flops = call.has(3) + activation_flops(word(call, "activation", ""))
    return OperatorCost(other_flops=flops * call.out_size())


@work("ConvInteger")
def conv_integer(call: OpCall) -> OperatorCost:
    """A convolution; zero points are subtracted from every element beforehand."""
    shifted = sum(call.size(index) for index in (0, 1) if call.has(index + 2))
    return convolution(call, bias=len(call.inputs)) + OperatorCost(other_flops=shifted)


@work("QLinearConv")
def qlinear_conv(call: OpCall) -> OperatorCost:
    """A convolution of quantized numbers, quantized again."""
    return _quantized(call, channels_last=False)


@work("QLinearConv", domain=MICROSOFT)
def qlinear_conv_of_layout(call: OpCall) -> OperatorCost:
    """Same as ``qlinear_conv``; ``channels_last`` says where the channels are."""
    return _quantized(call, channels_last=whole(call, "channels_last", 0) == 1)


def _quantized(call: OpCall, *, channels_last: bool) -> OperatorCost:
    counted = convolution(call, weight=3, bias=8, channels_last=channels_last)
    return counted + OperatorCost(other_flops=REQUANTIZE * call.out_size() + call.size(0))


@work("ConvTranspose")
def conv_transpose(call: OpCall) -> OperatorCost:
    """Every input element meets every tap of its group's filters, before ``pads`` crop the result.

    MACs are input positions x input channels x (output channels / group) x kernel. FLOPs are as many
    multiplies, the adds that join them into the outputs, and the bias.
    """
    return _scattered(call, bias=2)


@work("ConvTransposeWithDynamicPads", domain=MICROSOFT)
def conv_transpose_with_dynamic_pads(call: OpCall) -> OperatorCost:
    """Same as ``ConvTranspose``."""
    return _scattered(call, bias=3)


def _scattered(call: OpCall, *, bias: int) -> OperatorCost:
    image, filters = call.shape(0), call.shape(1)
    need(len(image) >= 3, f"input 0 has rank {len(image)}, it has no spatial axes")
    same(len(filters), len(image), "ranks of weight and data differ")
    parts(image[1], whole(call, "group", 1, least=1), "input channels")
    same(image[1], filters[0], "input channels of data and weight differ")
    check_kernel(call, filters[2:])
    macs = call.size(0) * prod(filters[1:])
    outputs = call.out_size()
    # With strides over the kernel's size some outputs get no product at all, and no add.
    adds = max(macs - outputs, 0) + outputs * call.has(bias)
    return OperatorCost(macs=macs, flops=macs + adds)


@work("DeformConv")
def deform_conv(call: OpCall) -> OperatorCost:
    """A convolution on samples between elements; a bilinear sample is 7 operations, a mask one more."""
    counted = convolution(call, bias=3)
    image, filters, out = call.shape(0), call.shape(1), call.out()
    parts(image[1], whole(call, "offset_group", 1, least=1), "input channels")
    samples = image[0] * image[1] * prod(filters[2:]) * prod(out[2:])
    taps = 2 ** (len(image) - 2)
    return counted + OperatorCost(other_flops=samples * (2 * taps - 1 + call.has(4)))


@work("CausalConvWithState")
@work("CausalConvWithState", domain=MICROSOFT)
def causal_conv(call: OpCall) -> OperatorCost:
    """A depthwise convolution over the past: kernel terms an output element."""
    return _depthwise(call, bias=2)


@work("VarlenCausalConvWithState", domain=MICROSOFT)
def packed_causal_conv(call: OpCall) -> OperatorCost:
    """Same as ``CausalConvWithState``; dynamic deltas of the taps are an add each."""
    deltas = prod(call.shape(1)[2:]) * call.out_size() if call.has(6) else 0
    return _depthwise(call, bias=3) + OperatorCost(other_flops=deltas)


def _depthwise(call: OpCall, *, bias: int) -> OperatorCost:
    filters = call.shape(1)
    need(len(filters) >= 3, f"input 1 has rank {len(filters)}, it has no kernel axes")
    same(filters[1], 1, "a depthwise filter has one channel")
    after = activation_flops(_activation(call)) * call.out_size()
    return dot_products(call.out_size(), prod(filters[2:]), bias=call.has(bias)) + OperatorCost(
        other_flops=after
    )


def _activation(call: OpCall) -> str:
    return word(call, "activation", "none")


@work("WordConvEmbedding", domain=MICROSOFT)
def word_conv_embedding(call: OpCall) -> OperatorCost:
    """Filters over the characters of every word, tanh, and the largest over the positions."""
    words = call.shape(0)
    filters = call.shape(1)
    need(len(words) >= 2 and len(filters) == 4, "it needs words of characters and a weight of rank 4")
    positions = words[-1] - filters[2] + 1
    need(positions >= 1, "the window is longer than a word")
    outputs = prod(words[:-1]) * positions * filters[0]
    counted = dot_products(outputs, prod(filters[1:]), bias=call.has(2))
    return counted + OperatorCost(other_flops=2 * outputs)
