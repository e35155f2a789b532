"""Reports to draw: large ones, and names that a page must not obey."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnea_graph import analyze
from nnea_graph.report.schema.analysis import Report

MODELS = Path(__file__).parents[3] / "models"

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\x1b[2J\u202e\u2066name",
    "{{ 7 * 7 }}{% raw %}",
    "\udc80lone",
    "n" * 10_000,
    "=HYPERLINK(1)",
)


def large_report(operators: int, layers: int) -> Report:
    """A chain of so many operators in modules of ten, of which the first are layers with all metrics."""
    found = analyze(MODELS / "digits_cnn.onnx")
    node, layer = found.nodes[0], found.layers[0]
    names = [f"node_conv2d_{place}" for place in range(operators)]
    nodes = [
        replace(
            node,
            id=name,
            scope=f"stage{place // 100}.block{place // 10}.conv",
            inputs=[f"t{place}"],
            outputs=[f"t{place + 1}"],
        )
        for place, name in enumerate(names)
    ]
    some = [replace(layer, id=nodes[place].id, scope=nodes[place].scope) for place in range(layers)]
    totals = replace(found.totals, peak_node=names[0])
    return replace(found, nodes=nodes, layers=some, findings=[], pathways=None, totals=totals)
