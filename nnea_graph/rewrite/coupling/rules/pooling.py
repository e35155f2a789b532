"""Pooling, resizing and other operators that work on the positions of each channel by itself."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.op_context import COUPLING_RULES, CouplingContext, coupling
from nnea_graph.rewrite.coupling.rules.convolution import POSITIONS


def pooling(site: CouplingContext) -> None:
    """Batch and channels run through, positions stay."""
    x = site.name(0)
    for output in filter(None, site.node.outputs):
        for axis in (0, 1):
            site.same(x, axis, output, axis)
        for axis in range(2, site.rank(x)):
            site.pin(x, axis, POSITIONS)
            site.pin(output, axis, POSITIONS)


POOLS = "AveragePool MaxPool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool GridSample"
COUPLING_RULES.add(pooling, *POOLS.split())


@coupling("QLinearGlobalAveragePool", "QLinearAveragePool", domain=MICROSOFT)
def quantized_pooling(site: CouplingContext) -> None:
    """Couples as pooling, with channels in the second or in the last axis."""
    x, y = site.name(0), site.out()
    last = bool(site.call.attr("channels_last", 0))
    channel = site.rank(x) - 1 if last else 1
    for axis in range(site.rank(x)):
        if axis in (0, channel):
            site.same(x, axis, y, axis)
        else:
            site.pin(x, axis, POSITIONS)
            site.pin(y, axis, POSITIONS)


@coupling("Resize", "Upsample")
def resize(site: CouplingContext) -> None:
    """Axes that keep their length run through; the others stay."""
    x, y = site.name(0), site.out()
    cropped = site.call.attr("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    for axis, (before, after) in enumerate(zip(site.dims(x), site.dims(y), strict=True)):
        if before == after and before is not None and not cropped:
            site.same(x, axis, y, axis)
        else:
            site.pin(x, axis, POSITIONS)
            site.pin(y, axis, POSITIONS)


@coupling("RoiAlign", "MaxRoiPool")
def regions(site: CouplingContext) -> None:
    """Channels run through; regions and positions stay."""
    x, y = site.name(0), site.out()
    site.same(x, 1, y, 1)
    for axis in (0, 2, 3):
        site.pin(x, axis, POSITIONS)
        site.pin(y, axis, POSITIONS)
    for name in site.names()[1:]:
        site.pin_all(name, "regions")
