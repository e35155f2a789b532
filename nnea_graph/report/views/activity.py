"""What renderers pick out of what was seen of a running model: importance for its cost, dead and constant channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nnea_graph.report.schema.analysis import Channels, Layer, Report
from nnea_graph.report.views.summary import left_out


@dataclass(frozen=True, slots=True)
class Yield:
    """Importance of a layer for its MACs and for its bytes; 1 is what the model's layers give together."""

    layer: Layer
    per_mac: float | None
    per_byte: float | None


@dataclass(frozen=True, slots=True)
class IdleChannels:
    """Channels of a kind: how many, of how many, in how many layers, and the weights that make them."""

    count: int
    of: int
    layers: int
    bytes: int


def has_real_data(report: Report) -> bool:
    """Tells whether activity is of data that the user gave."""
    return report.data is not None and not report.data.synthetic and not report.data.not_run


def yields(report: Report) -> list[Yield]:
    """Layers with importance, those that give most for their MACs first; without MACs last."""
    outside = left_out(report)
    layers = [each for each in report.layers if each.importance and each.macs and each.id not in outside]
    per_mac = _relative(layers, lambda layer: layer.importance_per_mmac)
    per_byte = _relative(layers, lambda layer: layer.importance_per_kib)
    found = [Yield(*each) for each in zip(layers, per_mac, per_byte, strict=True)]
    return sorted(found, key=lambda each: -(each.per_mac or 0.0))


def _relative(layers: Sequence[Layer], rate: Callable[[Layer], float | None]) -> list[float | None]:
    """Rates over the rate of all layers together: sum of importance over sum of cost."""
    rates = [rate(layer) for layer in layers]
    known = [(layer.importance or 0.0, each) for layer, each in zip(layers, rates, strict=True) if each]
    cost = sum(importance / each for importance, each in known)
    whole = sum(importance for importance, _ in known) / cost if cost else 0.0
    return [each / whole if each is not None and whole else None for each in rates]


def dead_channels(report: Report) -> IdleChannels:
    """Output channels that were 0 throughout."""
    return _idle(report, lambda channels: (channels.dead_outputs, channels.dead_output_bytes))


def constant_channels(report: Report) -> IdleChannels:
    """Output channels that were the same other number throughout."""
    return _idle(report, lambda channels: (channels.constant_outputs, channels.constant_output_bytes))


def _idle(report: Report, counts: Callable[[Channels], tuple[int | None, int | None]]) -> IdleChannels:
    seen = [layer.channels for layer in report.layers if layer.channels and layer.channels.outputs]
    found = [pair for pair in map(counts, seen) if pair[0]]
    return IdleChannels(
        count=sum(number or 0 for number, _ in found),
        of=sum(channels.outputs or 0 for channels in seen),
        layers=len(found),
        bytes=sum(size or 0 for _, size in found),
    )
