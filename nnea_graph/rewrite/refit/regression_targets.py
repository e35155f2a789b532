"""Where a layer's output is compared with the original's: at itself, behind its bias, or at the sum it goes into."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.rewrite.refit.gram import Floats
from nnea_graph.rewrite.refit.least_squares_form import Form
from nnea_graph.rewrite.refit.recurrent import Gates


@dataclass(frozen=True, slots=True, eq=False)
class RegressionTarget:
    """``tensor`` grows by ``gain`` (of each output channel, None is 1) times what is added to the layer's output.

    ``other`` is the rest of the sum that the tensor is, "" where it is none; ``bias`` is the Add of a constant on
    the way, whose input ``place`` is that constant. ``tensor`` is "" where no tensor holds what the weights give:
    inside a recurrent layer.
    """

    tensor: str
    gain: Floats | None = None
    other: str = ""
    bias: OpNode | None = None
    place: int = 0


def targets_of(
    graph: ModelGraph, node: OpNode, form: Form
) -> tuple[RegressionTarget, RegressionTarget | None]:
    """Targets behind the layer and its bias, and at the sum that it is added into by nothing but scales by channel.

    At a sum, the layer makes up for what the other branch lacks. Scales alone would change nothing: each output
    channel is fitted by itself.
    """
    if isinstance(form, Gates):
        return RegressionTarget(""), None
    found = nearest = RegressionTarget(node.outputs[0])
    while (step := _step(graph, found, form)) is not None:
        if step.other:
            return nearest, step
        if step.gain is None:
            nearest = step
        found = step
    return nearest, None


def _step(graph: ModelGraph, target: RegressionTarget, form: Form) -> RegressionTarget | None:
    """Step that the only reader of the tensor makes of it, where that is followed."""
    readers = graph.consumers(target.tensor)
    if len(readers) != 1 or target.tensor in graph.outputs:
        return None
    reader = readers[0]
    rule = _STEPS.get(reader.op_type)
    if rule is None or reader.body or reader.domain or list(reader.inputs).count(target.tensor) != 1:
        return None
    return rule(graph, target, reader, form)


def _added(
    graph: ModelGraph, target: RegressionTarget, reader: OpNode, form: Form
) -> RegressionTarget | None:
    place = 1 - reader.inputs.index(target.tensor)
    constant = graph.constants.get(reader.inputs[place])
    if constant is None:
        return replace(target, tensor=reader.outputs[0], other=reader.inputs[place])
    if target.gain is not None or target.bias is not None or not along_channels(constant.shape, form):
        return None
    return replace(target, tensor=reader.outputs[0], bias=reader, place=place)


def _multiplied(
    graph: ModelGraph, target: RegressionTarget, reader: OpNode, form: Form
) -> RegressionTarget | None:
    constant = graph.constants.get(reader.inputs[1 - reader.inputs.index(target.tensor)])
    if constant is None or not along_channels(constant.shape, form):
        return None
    return _scaled(target, reader, constant.array().astype(np.float64).reshape(-1))


def _normalized(
    graph: ModelGraph, target: RegressionTarget, reader: OpNode, form: Form
) -> RegressionTarget | None:
    """BatchNormalization with the statistics of the training, behind a convolution."""
    names = (reader.inputs[1], reader.inputs[4])
    constants = [graph.constants[name] for name in names if name in graph.constants]
    training = reader.attributes.get("training_mode", 0) or len(reader.outputs) > 1
    if form.from_end == -1 or training or len(constants) < 2 or reader.inputs[0] != target.tensor:
        return None
    scale, variance = (constant.array().astype(np.float64) for constant in constants)
    return _scaled(target, reader, scale / np.sqrt(variance + reader.attributes.get("epsilon", 1e-5)))


def _passed(graph: ModelGraph, target: RegressionTarget, reader: OpNode, form: Form) -> RegressionTarget:
    del graph, form
    return replace(target, tensor=reader.outputs[0])


_STEPS = {"Add": _added, "BatchNormalization": _normalized, "Identity": _passed, "Mul": _multiplied}


def _scaled(target: RegressionTarget, reader: OpNode, factors: Floats) -> RegressionTarget:
    gain = factors if target.gain is None else target.gain * factors
    return replace(target, tensor=reader.outputs[0], gain=gain)


def along_channels(shape: tuple[int, ...], form: Form) -> bool:
    """Tells whether a constant of this shape is one number for each output channel of the layer, or one for all."""
    channels = form.groups * form.outputs
    long = [axis - len(shape) for axis, dim in enumerate(shape) if dim != 1]
    return not long or (long == [form.from_end] and shape[long[0]] == channels)
