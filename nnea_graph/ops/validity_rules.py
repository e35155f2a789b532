"""Faults that every runtime refuses though the source format's own inference lets it pass."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.registry import Registry

Check = Callable[[OpCall], None]
"""Raises ``BadCallError`` where the operator cannot run on these shapes; what is not known passes."""

CHECKS: Registry[Check] = Registry("contradiction")

_PADDINGS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def refuse(call: OpCall) -> None:
    """Raise ``BadCallError`` where no runtime would run the operator."""
    check = CHECKS.get(call.op_type, call.domain)
    if check is not None:
        check(call)


@CHECKS.register("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
def elements_stay(call: OpCall) -> None:
    """Another shape or order of the same elements has as many of them."""
    data, result = _static(call, 0), call.outputs[0].static if call.outputs and call.outputs[0] else None
    if data is not None and result is not None and prod(data) != prod(result):
        raise BadCallError(f"{list(data)} has {prod(data)} elements, {list(result)} has {prod(result)}")


@CHECKS.register("AveragePool", "ConvTranspose", "LpPool", "MaxPool")
def padding_is_known(call: OpCall) -> None:
    """There are four ways to pad."""
    word = call.attr("auto_pad", "NOTSET")
    if word not in _PADDINGS:
        raise BadCallError(f"auto_pad is {word!r:.60}, not one of {', '.join(_PADDINGS)}")


@CHECKS.register("Conv", "ConvInteger", "QLinearConv")
def filter_fits(call: OpCall) -> None:
    """A filter has to fit into its padded input; truncating division would make one position of none."""
    padding_is_known(call)
    data, weight = _static(call, 0), _static(call, 3 if call.op_type == "QLinearConv" else 1)
    if data is None or weight is None or call.attr("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        return
    axes = len(data) - 2
    pads, dilations = call.attr("pads") or [0] * 2 * axes, call.attr("dilations") or [1] * axes
    if not len(pads) == 2 * axes == 2 * len(dilations) == 2 * len(weight[2:]):
        return
    for axis, (dim, kernel) in enumerate(zip(data[2:], weight[2:], strict=True)):
        if dim + pads[axis] + pads[axes + axis] < dilations[axis] * (kernel - 1) + 1:
            raise BadCallError(f"a filter over {kernel} elements does not fit a dim of {dim}")


@CHECKS.register("RNN", "GRU", "LSTM")
def states_fit(call: OpCall) -> None:
    """The first states have an entry for each sample."""
    data = _static(call, 0)
    if data is None or len(data) != 3:
        return
    by_batch = bool(call.attr("layout", 0))
    batch = data[0 if by_batch else 1]
    for index in (5, 6):
        state = _static(call, index)
        if state is not None and len(state) == 3 and state[0 if by_batch else 1] != batch:
            raise BadCallError(f"its input holds {batch} samples, its first state {list(state)}")


def _static(call: OpCall, index: int) -> tuple[int, ...] | None:
    info = call.inputs[index] if index < len(call.inputs) else None
    return info.static if info else None
