"""Recurrent layers: what enters may go with its columns; the state stays, as every gate reads all of it."""

from __future__ import annotations

from nnea_graph.rewrite.coupling.op_context import CouplingContext, coupling

STATE = "recurrent state"


@coupling("LSTM", "GRU", "RNN")
def recurrent(site: CouplingContext) -> None:
    """Columns of the input weights go with the input's channels."""
    x, weight = site.name(0), site.name(1)
    site.same(x, -1, weight, -1)
    site.pin(weight, 0, STATE)
    site.pin(weight, 1, STATE)
    for axis in (0, 1):
        site.pin(x, axis, "positions are no channels")
    for name in (*site.node.inputs[2:], *site.node.outputs):
        site.pin_all(name, STATE)
