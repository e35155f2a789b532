"""Small networks pruned by hand: what is cut is written down in the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from oracles.observing import quiet_options

from nnea_graph.engine.data import Data
from nnea_graph.runtime.data.split import PartOfData, split
from nnea_graph.runtime.open_data import open_data

Array = NDArray[Any]
Cuts = Mapping[tuple[str, int], Array]


def network(
    nodes: Sequence[NodeProto], constants: Mapping[str, Array], x: Sequence[int | str], y: Sequence[int | str]
) -> ModelProto:
    """A model of input ``x`` and output ``y``, float32 unless the constants are otherwise."""
    stored = [
        numpy_helper.from_array(
            np.asarray(array, np.float32 if array.dtype == np.float64 else array.dtype), name
        )
        for name, array in constants.items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def sliced(model: ModelProto, cuts: Cuts) -> ModelProto:
    """The model with these indices of its constants alone; what the cuts say of other tensors is for the refit."""
    found = ModelProto()
    found.CopyFrom(model)
    for tensor in found.graph.initializer:
        array = numpy_helper.to_array(tensor)
        for (name, axis), indices in cuts.items():
            array = array.take(indices, axis) if name == tensor.name else array
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))
    return found


def weights(model: ModelProto) -> dict[str, Array]:
    """Its constants by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def outputs(model: ModelProto, x: Array) -> Array:
    """What onnxruntime makes of it."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet_options())
    found: Array = session.run(None, {"x": x})[0]
    return found


def parts_of(x: Array, inputs: Mapping[str, Any]) -> tuple[PartOfData, PartOfData]:
    """Data to fit on and to hold out."""
    data: Data = open_data({"x": x}, inputs)
    fitted, held = split(data, (3, 1))
    return fitted, held
