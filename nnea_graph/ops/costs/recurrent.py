"""Recurrent cells: at each step every gate is W · x and R · h, two dense layers whose results are added.

MACs and FLOPs are those of the dense layers, each with its own bias where B is there. Adding the two,
the gates' functions, peepholes and the cell's own arithmetic are ``other_flops``. The first step counts like
the others, whether the initial state is given or zero.
"""

from __future__ import annotations

from collections.abc import Sequence

from nnea_graph.ops.attribute_checks import counts, known, need, numbers, same, shaped, whole, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work
from nnea_graph.ops.costs.elementwise import activation_flops
from nnea_graph.ops.costs.pooling import DEQUANTIZE, REQUANTIZE
from nnea_graph.ops.registry import MICROSOFT

DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
Functions = Sequence[tuple[int, str]]
"""How many gates each of the ``activations`` serves, and what it is where they are left out."""

LSTM: Functions = ((3, "Sigmoid"), (1, "Tanh"), (1, "Tanh"))
"""The three gates, the candidate, and the cell on its way out."""

PADDED = "sequence lengths are known only at run time: every step counts"


@work("RNN")
def rnn(call: OpCall) -> OperatorCost:
    """One gate."""
    return _cells(call, gates=1, functions=((1, "Tanh"),), arithmetic=0)


@work("GRU")
def gru(call: OpCall) -> OperatorCost:
    """Three gates; the reset is a multiply, h = (1 - z) · n + z · h four operations more."""
    return _cells(call, gates=3, functions=((2, "Sigmoid"), (1, "Tanh")), arithmetic=5)


@work("LSTM")
def lstm(call: OpCall) -> OperatorCost:
    """Four gates; c = f · c + i · g and h = o · act(c) are four operations, peepholes six more."""
    return _cells(call, gates=4, functions=LSTM, arithmetic=4 + 6 * call.has(7))


def _cells(call: OpCall, *, gates: int, functions: Functions, arithmetic: int) -> OperatorCost:
    features = shaped(call, 0, 3)[2]
    _, rows, width = shaped(call, 1, 3)
    hidden = shaped(call, 2, 3)[2]
    same(width, features, "features of the input and of W differ")
    same(rows, gates * hidden, "rows of W and gates x hidden size differ")
    return _stepped(call, gates, hidden, _unit(call, functions) + arithmetic)


def _stepped(call: OpCall, gates: int, hidden: int, arithmetic: int) -> OperatorCost:
    directions = _directions(call)
    same(whole(call, "hidden_size", hidden, least=1), hidden, "hidden_size and R differ")
    steps, reason = _steps(call)
    cells = steps * directions * hidden
    features = shaped(call, 0, 3)[2]
    clipped = 2 * gates * ("clip" in call.attributes)
    return (
        dot_products(cells * gates, features, bias=call.has(3))
        + dot_products(cells * gates, hidden, bias=call.has(3))
        + OperatorCost(other_flops=cells * (gates + clipped + arithmetic), estimate=reason)
    )


def _directions(call: OpCall) -> int:
    direction = word(call, "direction", "forward")
    need(direction in DIRECTIONS, f"direction is {direction!r:.60}")
    same(shaped(call, 1, 3)[0], DIRECTIONS[direction], "the first dim of W and the directions differ")
    return DIRECTIONS[direction]


def _steps(call: OpCall) -> tuple[int, str]:
    """Steps of all samples together, which ``layout`` does not change."""
    shape = shaped(call, 0, 3)
    if not call.has(4):
        return shape[0] * shape[1], ""
    lengths = known(call, 4)
    if lengths is None:
        return shape[0] * shape[1], PADDED
    longest = shape[1] if whole(call, "layout", 0) else shape[0]
    steps = counts(lengths, "sequence_lens")
    need(max(steps, default=0) <= longest, "a sequence length is over the sequence")
    return sum(steps), ""


def _unit(call: OpCall, functions: Functions) -> int:
    """Operations of all functions of one hidden unit, by those that the first direction names."""
    named = numbers(call, "activations") or [name for _, name in functions] * _directions(call)
    need(all(isinstance(name, str) for name in named), "activations are not texts")
    same(len(named), len(functions) * _directions(call), "activations of all directions")
    return sum(times * activation_flops(name) for (times, _), name in zip(functions, named, strict=False))


@work("DynamicQuantizeLSTM", domain=MICROSOFT)
def dynamic_quantize_lstm(call: OpCall) -> OperatorCost:
    """Same as ``LSTM`` with transposed int8 weights: inputs quantized, gates scaled back, at every step."""
    features = shaped(call, 0, 3)[2]
    _, hidden, columns = shaped(call, 2, 3)
    same(columns, 4 * hidden, "columns of R and gates x hidden size differ")
    same(shaped(call, 1, 3)[1], features, "features of the input and of W differ")
    counted = _stepped(call, 4, hidden, _unit(call, LSTM) + 4 + 6 * call.has(7))
    steps = _steps(call)[0] * _directions(call)
    converted = (2 + REQUANTIZE) * (features + hidden) + DEQUANTIZE * 4 * hidden
    return counted + OperatorCost(other_flops=steps * converted)
