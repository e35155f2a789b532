"""What onnxruntime really executes, operator by operator, in bodies too: types and shapes from its profile."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, helper

Seen = tuple[str, tuple[int, ...]]
"""Element type and shape."""

_END = "_kernel_time"
_NUMPY_NAMES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class Ran:
    """One operator that ran: its name in the model, what it read, what it made (by tensor name)."""

    op_type: str
    inputs: Sequence[Seen]
    outputs: Mapping[str, Seen]


def nodes_of(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes, those in bodies too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from nodes_of(attribute.g)


def run_model(
    model: ModelProto, shapes: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
) -> list[Ran]:
    """Run once, unoptimized, on seeded inputs of these shapes; ``scalars`` are values of inputs of rank 0."""
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = {}
    for index, node in enumerate(nodes_of(copy.graph)):
        node.name = f"node_{index}"
        nodes[node.name] = node
    feeds = {value.name: _feed(value, shapes[value.name], scalars) for value in copy.graph.input}
    events = _profile(copy, feeds)
    return [_ran(nodes[event["name"].removesuffix(_END)], event["args"]) for event in events]


def _feed(value: ValueInfoProto, shape: Sequence[int], scalars: Mapping[str, int]) -> np.ndarray[Any, Any]:
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    if value.name in scalars:
        return np.array(scalars[value.name], dtype)
    rng = np.random.default_rng(0)
    return np.asarray(rng.random(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)).astype(dtype)


def _profile(model: ModelProto, feeds: dict[str, np.ndarray[Any, Any]]) -> list[dict[str, Any]]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling = True
    options.add_session_config_entry(
        "session.disable_prepacking", "1"
    )  # a packed weight is no input any more
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_END)]


def _ran(node: NodeProto, arguments: dict[str, Any]) -> Ran:
    made = [name for name in node.output if name]
    outputs = zip(made, map(_seen, arguments["output_type_shape"]), strict=True)
    return Ran(node.op_type, [_seen(each) for each in arguments["input_type_shape"]], dict(outputs))


def _seen(entry: dict[str, list[int]]) -> Seen:
    ((name, shape),) = entry.items()
    return _NUMPY_NAMES.get(name, name), tuple(shape)


# A count of its own: from the shapes that were there when the operator ran


def macs_of(ran: Ran) -> int:
    """Multiply-accumulates of the matrix work; operators outside the table do none."""
    count = _COUNTS.get(ran.op_type)
    return (
        0 if count is None else count([shape for _, shape in ran.inputs], next(iter(ran.outputs.values()))[1])
    )


def _matmul(inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> int:
    return prod(output) * inputs[0][-1]


def _gemm(inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> int:
    """Of M x K times K x N, whichever way they lie."""
    return prod(inputs[0]) * output[1]


def _conv(inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> int:
    return prod(output) * prod(inputs[1][1:])


def _conv_transpose(inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> int:
    """Every element that goes in is spread over the filters of its channel."""
    assert len(output) == len(inputs[0])
    return prod(inputs[0]) * prod(inputs[1][1:])


def _recurrent(inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> int:
    """Both weight matrices meet every sample at every step."""
    steps, _, batch, _ = output
    return steps * batch * (prod(inputs[1]) + prod(inputs[2]))


_COUNTS = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "LSTM": _recurrent,
    "GRU": _recurrent,
}
