"""LSTM, GRU and RNN, unrolled once: every input leads to every hidden unit of each direction."""

from __future__ import annotations

from functools import partial

import numpy as np

from nnea_graph.channels.graph import ChannelTensor, Floats, Link
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES
from nnea_graph.channels.rule_context.strength import StrengthBlock, magnitudes
from nnea_graph.channels.rules.convolution import weights_of
from nnea_graph.ops.call import BadCallError
from nnea_graph.ops.registry import MICROSOFT

UNROLLED = "recurrent: unrolled once"
HIDDEN = "recurrent: from the first hidden state"


def recurrent(site: OpContext) -> None:
    """W leads from the input; R from a first hidden state that the model computes."""
    reader, again = weights_of(site, 1), weights_of(site, 2)
    source = site.demand(0, (2,))
    if source is None:
        return
    directions, hidden = reader.shape[0], again.shape[2]
    if len(reader.shape) != 3 or reader.shape[1] % hidden:
        raise BadCallError(f"weights {list(reader.shape)} for {hidden} hidden units")
    block = StrengthBlock(1, directions * hidden, reader.shape[2], partial(_inputs, reader, hidden))
    state = site.channels(5)
    for output, axes in enumerate(_axes(site)):
        if site.out(output):
            target = site.target(output, axes, (directions, hidden))
            links = [site.dense(target, source, (2,), block, UNROLLED)]
            if state is not None:
                links.append(_from_state(site, target, state, again))
            site.lead_dense(target, links)


def _axes(site: OpContext) -> tuple[tuple[int, int], ...]:
    """(direction, hidden) axes of the outputs, whose batch may come first."""
    return ((2, 3), (1, 2), (1, 2)) if site.call.attr("layout", 0) else ((1, 3), (0, 2), (0, 2))


def _from_state(site: OpContext, target: ChannelTensor, state: ChannelTensor, again: ConstantView) -> Link:
    directions, _, hidden = again.shape
    block = StrengthBlock(directions, directions * hidden, directions * hidden, partial(_hidden, again))
    axes = (1, 2) if site.call.attr("layout", 0) else (0, 2)
    return site.dense(target, state, axes, block, HIDDEN)


def _inputs(reader: ConstantView, hidden: int) -> Floats:
    """(1, directions x hidden, inputs): |w| summed over the gates."""
    directions, rows, inputs = reader.shape
    gates = magnitudes(reader.array()).reshape(directions, rows // hidden, hidden, inputs)
    return np.asarray(gates.sum(1, dtype=np.float64).reshape(1, directions * hidden, inputs))


def _hidden(reader: ConstantView) -> Floats:
    """(directions, hidden, hidden)."""
    directions, rows, hidden = reader.shape
    gates = magnitudes(reader.array()).reshape(directions, rows // hidden, hidden, hidden)
    return np.asarray(gates.sum(1, dtype=np.float64))


CHANNEL_RULES.add(recurrent, "GRU", "LSTM", "RNN")
CHANNEL_RULES.add(recurrent, "DynamicQuantizeLSTM", domain=MICROSOFT)
