"""A log-log plot as SVG: enough to see whether time grows with its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path

Curve = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT, _MARGIN = 480, 320, 56
_COLORS = ("#084a8f", "#d06f1a", "#3a8a6e", "#7b5aa6")


def write_plot(path: Path, title: str, across: str, curves: Mapping[str, Curve]) -> None:
    """Curves of (cause, seconds), one color each."""
    xs = [log10(x) for curve in curves.values() for x, _ in curve]
    ys = [log10(y) for curve in curves.values() for _, y in curve]
    left, right, low, high = floor(min(xs)), ceil(max(xs)), floor(min(ys)), ceil(max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _MARGIN + (log10(x) - left) / (right - left) * (_WIDTH - 2 * _MARGIN),
            _HEIGHT - _MARGIN - (log10(y) - low) / (high - low) * (_HEIGHT - 2 * _MARGIN),
        )

    lines = [f'<text x="{_MARGIN}" y="24" font-weight="bold">{title}</text>']
    for power in range(left, right + 1):
        x, bottom = place(10.0**power, 10.0**low)
        lines.append(f'<path d="M{x:.1f} {bottom:.1f}V{_MARGIN}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">1e{power}</text>')
    for power in range(low, high + 1):
        start, y = place(10.0**left, 10.0**power)
        lines.append(f'<path d="M{start:.1f} {y:.1f}H{_WIDTH - _MARGIN}" stroke="#ddd"/>')
        lines.append(f'<text x="{start - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">1e{power} s</text>')
    for row, ((name, curve), color) in enumerate(zip(curves.items(), _COLORS, strict=False)):
        points = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in curve)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        lines.append(f'<text x="{_MARGIN + 8}" y="{_MARGIN + 16 * (row + 1)}" fill="{color}">{name}</text>')
    lines.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 12}" text-anchor="middle">{across}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif"'
    path.write_text("\n".join([f'{head} font-size="11">', *lines, "</svg>\n"]), encoding="utf-8")
