"""Puts new weights and biases into a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from nnea_graph.rewrite.refit.biases import ConsumerBias
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.rewrite.surgery.edit import add_constants

Array = NDArray[Any]


def with_values(
    model: ModelProto, layers: Iterable[RefittableLayer], values: Mapping[str, Array]
) -> ModelProto:
    """A copy in which each layer reads its bias, and the constants of these names have these values, old or new."""
    found = ModelProto()
    found.CopyFrom(model)
    makers = {name: node for node in found.graph.node for name in node.output}
    for layer in layers:
        if layer.bias is not None:
            _read_bias(makers[layer.bias.output], layer.bias)
    places = dict(_places(found.graph))
    added = []
    for name, array in values.items():
        if name in places:
            places[name].CopyFrom(numpy_helper.from_array(array, places[name].name))
        else:
            added.append(numpy_helper.from_array(array, name))
    add_constants(found.graph, added, model.ir_version)
    return found


def stored_names(model: ModelProto) -> set[str]:
    """The constants whose values can be replaced."""
    return {name for name, _ in _places(model.graph)}


def _places(graph: GraphProto) -> Iterator[tuple[str, TensorProto]]:
    """Initializers, and constants that an operator of the main graph holds."""
    yield from ((tensor.name, tensor) for tensor in graph.initializer)
    for node in graph.node:
        if node.op_type == "Constant" and not node.domain:
            yield from ((node.output[0], held.t) for held in node.attribute if held.name == "value")


def _read_bias(node: NodeProto, bias: ConsumerBias) -> None:
    node.input.extend([""] * (bias.place + 1 - len(node.input)))
    node.input[bias.place] = bias.name
    if node.op_type == "Gemm":
        for place in reversed(range(len(node.attribute))):
            if node.attribute[place].name == "beta":
                del node.attribute[place]
        node.attribute.append(helper.make_attribute("beta", bias.factor))
