"""Layers and constants of a ``.tflite`` file, by the names of its tensors: those of the operators that it was made of.

A tensor of fused operators is called ``net/relu/Relu;net/norm/add;net/stem/Conv2D``; a constant that the converter has
computed, ``arith.constant7``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nnea_graph.frontends.tflite.flatbuffer import Subgraph, TfliteFile

_WEIGHTED = re.compile(r"(conv|depthwise|separable|matmul|einsum)", re.IGNORECASE)
"""Begins the names of such operators in TensorFlow and Keras: Conv2D, convolution, depthwise, MatMul."""
_PREFIX, _SUFFIX = "serving_default_", ":0"
"""Around the name of an input whose file has no signature."""


def scope(graph: int, tensor: int) -> str:
    """The only name that a tensor has while tf2onnx converts it, but for what follows after a slash."""
    return f"g{graph}t{tensor}"


class TensorNames:
    """``layers`` are by scope, those of inputs left out; ``constants`` are the names of constants, by scope too.

    ``halves`` are the scopes of what the file has in 16 bits; inputs and outputs are those of the main graph.
    """

    def __init__(self, file: TfliteFile) -> None:
        self.layers: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.halves: set[str] = set()
        found = [_layers(graph) for graph in file.graphs]
        root = _root([layer for layers in found for layer in layers.values() if layer])
        for number, (graph, layers) in enumerate(zip(file.graphs, found, strict=True)):
            self.layers |= {
                scope(number, place): _below(root, layer) for place, layer in layers.items() if layer
            }
            for place, origin in _origins(graph).items():
                name, layer = _below(root, _last(graph.tensors[origin].name)), _below(root, layers[place])
                self.constants[scope(number, place)] = (
                    f"{layer}/{name}" if layer and "/" not in name else name
                )
                if graph.tensors[origin].type == "FLOAT16":
                    self.halves.add(scope(number, place))
        main, given = file.graphs[0], next(iter(file.signatures), {})
        places = [*main.inputs, *main.outputs]
        shown = _unique(given.get(place) or _plain(main.tensors[place].name) for place in places)
        self.inputs, self.outputs = shown[: len(main.inputs)], shown[len(main.inputs) :]


def _layers(graph: Subgraph) -> dict[int, str]:
    """Layers by tensor, each of the operator that makes it, of a constant the layer that reads it first."""
    origins = _origins(graph)
    found: dict[int, str] = {}
    for operator in graph.operators:
        if all(place in origins for place in operator.outputs):
            continue
        weights = [place for place in operator.inputs[1:2] if place in origins]
        named = [*weights, *operator.outputs]
        layer = next(filter(None, (_layer(graph.tensors[place].name) for place in named)), "")
        for place in operator.outputs:
            found[place] = layer
        for place in operator.inputs:
            if place in origins:
                found.setdefault(origins[place], layer)
    for place, origin in origins.items():
        found[place] = found.get(origin) or found.get(place, "")
    return found


def _origins(graph: Subgraph) -> dict[int, int]:
    """Every constant with itself, and what is only another type of one with that one."""
    found = {place: place for place, tensor in enumerate(graph.tensors) if tensor.constant}
    for operator in graph.operators:
        if operator.kind == "DEQUANTIZE" and operator.inputs[0] in found:
            found |= dict.fromkeys(operator.outputs, found[operator.inputs[0]])
    return found


def _last(name: str) -> str:
    """Name, of those that a fused tensor has that of the operator with weights, else the last that is one."""
    parts = [part for part in name.split(";") if part.strip()]
    weighted = [part for part in parts if _WEIGHTED.match(part.rpartition("/")[2])]
    return next(reversed(weighted or parts), name)


def _layer(name: str) -> str:
    return _last(name).rpartition("/")[0]


def _root(layers: Sequence[str]) -> str:
    """Scope that all layers lie in: the name of the model, perhaps in the function that called it."""
    paths = [layer.split("/") for layer in layers]
    depth = 0
    while (
        paths and max(map(len, paths)) > depth + 1 and len({tuple(path[: depth + 1]) for path in paths}) == 1
    ):
        depth += 1
    return "/".join(paths[0][:depth]) if paths else ""


def _below(root: str, name: str) -> str:
    if name == root:
        return ""
    return name.removeprefix(f"{root}/") if root else name


def _plain(name: str) -> str:
    return name.removeprefix(_PREFIX).removesuffix(_SUFFIX) or "tensor"


def _unique(names: Iterable[str]) -> list[str]:
    """The names, numbered where one comes again.

    >>> _unique(["x", "y", "x"])
    ['x', 'y', 'x_1']
    """
    taken: list[str] = []
    for name in names:
        number, free = 0, name
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.append(free)
    return taken
