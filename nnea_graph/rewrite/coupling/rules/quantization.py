"""Quantization: numbers go with their scales where these are one a channel."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.op_context import CouplingContext, coupling


@coupling("QuantizeLinear", "DequantizeLinear")
@coupling("QuantizeLinear", "DequantizeLinear", domain=MICROSOFT)
def linear(site: CouplingContext) -> None:
    """One scale in all, one along an axis, or one a block of an axis, which then stays whole."""
    x, y = site.name(0), site.out()
    axis = int(site.call.attr("axis", 1))
    for place in range(site.rank(x)):
        site.same(x, place, y, place)
    for name in site.names()[1:]:
        rank = site.rank(name)
        if rank == 1 and site.dims(name)[0] != 1:
            site.same(name, 0, x, axis)
        elif rank > 1:
            _blocked(site, name, x, axis % site.rank(x))


def _blocked(site: CouplingContext, scales: str, x: str, axis: int) -> None:
    for place in range(site.rank(scales)):
        if place == axis:
            site.pin(x, place, "blocks share a scale")
            site.pin(scales, place, "blocks share a scale")
        else:
            site.same(scales, place, x, place)


@coupling("DynamicQuantizeLinear")
def dynamic(site: CouplingContext) -> None:
    """One scale in all, from the range with 0 in it: zeros that go do not change it."""
    site.broadcast(site.name(0), site.out())


@coupling("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def arithmetic(site: CouplingContext) -> None:
    """Operands are the first and the fourth input."""
    for index in (0, 3):
        site.broadcast(site.name(index), site.out())


@coupling("MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", domain=MICROSOFT)
def blocks(site: CouplingContext) -> None:
    """Several numbers lie in one byte, and a block of them shares a scale: none can be taken out."""
    for name in (*site.node.inputs, *site.node.outputs):
        site.pin_all(name, "its weights are packed in blocks")
