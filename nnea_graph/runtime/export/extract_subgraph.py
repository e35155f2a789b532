"""A part of a model: the operators of the main graph that make some tensors of others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ValueInfoProto, helper, numpy_helper

from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.runtime.export.to_onnx import Written, to_proto, value_info

Array = NDArray[Any]


def makers(graph: ModelGraph, tensors: Iterable[str], given: Collection[str] = ()) -> set[str]:
    """Ids of the main graph's operators that the tensors need, where others are given."""
    needed: set[str] = set()
    stack = list(tensors)
    while stack:
        name = stack.pop()
        node = None if name in given else graph.producer(name)
        if node is None or node.body or node.id in needed:
            continue
        needed.add(node.id)
        stack.extend(reads(graph, node))
    return needed


def reads(graph: ModelGraph, node: OpNode) -> Iterator[str]:
    """All that an operator and those in its bodies read, its bodies' own tensors among them."""
    yield from (name for name in node.inputs if name)
    for path in node.bodies:
        yield from graph.bodies[path].outputs
        for inner in graph:
            if inner.body == path:
                yield from reads(graph, inner)


def frontier(graph: ModelGraph, past: Collection[str]) -> list[str]:
    """What the other operators of the main graph read of these, and of the model's inputs, in a stable order."""
    there = dict.fromkeys(graph.inputs)
    there |= dict.fromkeys(name for node in graph if node.id in past for name in node.outputs if name)
    wanted = {name for node in graph if not node.body and node.id not in past for name in reads(graph, node)}
    return [name for name in there if name in wanted]


def excerpt(
    graph: ModelGraph, outputs: Sequence[str], given: Mapping[str, Array] | None, weights: Mapping[str, Array]
) -> Written:
    """The part that makes ``outputs`` of examples of what is ``given``, or of the model's inputs where that is None.

    ``weights`` stand in the place of stored constants of these names.
    """
    written = to_proto(graph, outputs)
    needed = makers(graph, outputs, given or ())
    nodes = [graph.node(name) for name in needed]
    read = {name for node in nodes for name in reads(graph, node)}
    main = written.proto.graph
    _retain(main.node, lambda node: node.name in needed)
    _retain(main.initializer, lambda tensor: tensor.name in read)
    for name in [name for name in written.arrays if name not in read]:
        del written.arrays[name], written.stored[name]
    for tensor in main.initializer:
        if tensor.name in weights:
            written.arrays.pop(tensor.name, None)
            written.stored.pop(tensor.name, None)
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    if given is not None:
        del main.input[:]
        main.input.extend(_input(graph, name, array) for name, array in given.items() if name in read)
    else:
        _retain(main.input, lambda value: value.name in read)
    return written


def _retain(entries: Any, wanted: Any) -> None:
    """Keep some of a repeated field."""
    for place in reversed(range(len(entries))):
        if not wanted(entries[place]):
            del entries[place]


def _input(graph: ModelGraph, name: str, example: Array) -> ValueInfoProto:
    """Declared as in the model, else by an example alone."""
    info = graph.tensors.get(name)
    if info is not None and info.dtype is not None:
        return value_info(name, info)
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.asarray(example).dtype), None
    )
