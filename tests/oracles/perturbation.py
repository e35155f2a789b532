"""Which channels of an operator's outputs move when one channel of an input does, measured with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from nnea_graph.channels.graph import Carry, ChannelGraph, ChannelTensor, Link

Array = NDArray[Any]
Values = dict[str, Array]

QUIET = onnxruntime.SessionOptions()
QUIET.log_severity_level = 4
QUIET.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), QUIET, providers=["CPUExecutionProvider"])


def feeds_of(model: ModelProto, seed: int = 0) -> Values:
    """Random numbers for every input, at the declared shapes."""
    random = np.random.default_rng(seed)
    feeds: Values = {}
    for info in model.graph.input:
        kind = info.type.tensor_type
        shape = [dim.dim_value for dim in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        drawn = random.normal(size=shape) if dtype.kind == "f" else random.integers(0, 2, shape)
        feeds[info.name] = np.asarray(drawn, dtype)
    return feeds


def all_values(model: ModelProto, feeds: Mapping[str, Array]) -> Values:
    """Every tensor of the main graph."""
    names = [name for node in model.graph.node for name in node.output if name]
    seen = ModelProto()
    seen.CopyFrom(model)
    del seen.graph.output[:]
    seen.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    found = dict(zip(names, session(seen).run(names, dict(feeds)), strict=True))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {**stored, **feeds, **found}


def single(model: ModelProto, node: NodeProto, values: Values, cut: str) -> onnxruntime.InferenceSession:
    """One operator with ``cut`` as its only input and all its others constant."""
    others = [name for name in dict.fromkeys(node.input) if name and name != cut]
    graph = helper.make_graph(
        [node],
        "one",
        [_info(cut, values[cut])],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
        [numpy_helper.from_array(np.asarray(values[name]), name) for name in others],
    )
    return session(helper.make_model(graph, opset_imports=model.opset_import, ir_version=10))


def _info(name: str, value: Array) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def channel_numbers(tensor: ChannelTensor, shape: Sequence[int]) -> Array:
    """The channel of every element, from the definition: the index along the axes, raveled."""
    places = np.indices(shape)
    if not tensor.axes:
        return np.zeros(shape, np.int64)
    return np.asarray(np.ravel_multi_index([places[axis] for axis in tensor.axes], tensor.dims))


def moved(
    model: ModelProto, node: NodeProto, values: Values, source: ChannelTensor, target: ChannelTensor
) -> NDArray[np.bool_]:
    """[i, j]: whether channel i of the target moves when channel j of the source does, in any of a few tries."""
    run = single(model, node, values, source.name)
    base = run.run([target.name], {source.name: values[source.name]})[0]
    numbers = channel_numbers(source, values[source.name].shape)
    places = channel_numbers(target, base.shape)
    found = np.zeros((target.count, source.count), bool)
    random = np.random.default_rng(1)
    for channel in range(source.count):
        for scale in (0.5, -2.0, 8.0):
            changed = values[source.name].copy()
            mine = numbers == channel
            changed[mine] += (scale * random.uniform(0.5, 1.5, mine.sum())).astype(changed.dtype)
            after = run.run([target.name], {source.name: changed})[0]
            found[np.unique(places[~np.isclose(after, base, rtol=1e-4, atol=1e-5)]), channel] = True
    return found


def linked(channels: ChannelGraph, links: Sequence[Link], source: str, target: str) -> NDArray[np.bool_]:
    """[i, j]: whether the channel graph leads from channel j of the source to channel i of the target."""
    found = np.zeros((channels.tensors[target].count, channels.tensors[source].count), bool)
    for link in links:
        found |= edges(link, *found.shape) > 0
    return found


def edges(link: Link, targets: int, sources: int) -> Array:
    """The edges of a link one by one, as (targets, sources)."""
    full = np.zeros((targets, sources))
    if isinstance(link.edges, Carry):
        for target, source in enumerate(link.edges.places):
            if source >= 0:
                full[target, source] = 1
        return full
    strength = link.edges.strength()
    _, rows, columns = strength.shape
    for group, block in enumerate(strength):
        full[group * rows : (group + 1) * rows, group * columns : (group + 1) * columns] = block
    return full
