"""What tests of observed activations share: statistics by brute force over stored activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.runtime.observe.collect import collect
from nnea_graph.runtime.observe.observations import ChannelStats, Collected, Kind, Observation
from nnea_graph.static.dims import Dims
from nnea_graph.static.propagation import infer

Feeds = Mapping[str, NDArray[Any]]
ROOT = Path(__file__).parents[2]


def types_at(graph: ModelGraph, inputs: Mapping[str, TensorInfo]) -> Mapping[str, TensorInfo]:
    return infer(graph, Dims({}, (), inputs, inputs, overridden=True)).types


def collected(graph: ModelGraph, observations: Sequence[Observation], feeds: Iterable[Feeds]) -> Collected:
    return collect(graph, observations, feeds, lambda inputs: types_at(graph, inputs))


def quiet_options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options


def stored(path: Path, tensors: Sequence[str], feeds: Iterable[Feeds]) -> dict[str, list[NDArray[Any]]]:
    """The activations themselves, batch by batch, out of the original file."""
    model = onnx.load(path)
    present = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in present)
    session = onnxruntime.InferenceSession(model.SerializeToString(), quiet_options())
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in tensors}
    for batch in feeds:
        for name, array in zip(tensors, session.run(list(tensors), dict(batch)), strict=True):
            found[name].append(array)
    return found


def brute(arrays: Sequence[NDArray[Any]], axis: int | None) -> ChannelStats:
    """Statistics in float64 of all values at once."""
    rows = np.concatenate([_rows(array.astype(np.float64), axis) for array in arrays])
    count = np.full(rows.shape[1], len(rows))
    size = np.abs(rows)
    return ChannelStats(
        count,
        np.zeros_like(count),
        size.sum(0),
        rows.sum(0),
        (rows**2).sum(0),
        size.max(0),
        (rows == 0).sum(0),
    )


def _rows(array: NDArray[Any], axis: int | None) -> NDArray[Any]:
    if axis is None:
        return array.reshape(-1, 1)
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


def assert_close(found: ChannelStats, expected: ChannelStats, tolerance: float = 1e-4) -> None:
    """Relative to the largest channel for sums that cancel, to each channel for the rest."""
    np.testing.assert_array_equal(found.count, expected.count)
    np.testing.assert_allclose(found.sum_abs, expected.sum_abs, rtol=tolerance, atol=1e-30)
    if found.sum_sq is None or found.max_abs is None or found.sum is None:
        return
    assert expected.sum_sq is not None
    assert expected.max_abs is not None
    assert expected.sum is not None
    np.testing.assert_allclose(found.sum_sq, expected.sum_sq, rtol=tolerance, atol=1e-30)
    np.testing.assert_allclose(found.max_abs, expected.max_abs, rtol=tolerance, atol=1e-30)
    np.testing.assert_array_equal(found.zeros, expected.zeros)
    assert (np.abs(found.sum - expected.sum) <= tolerance * expected.sum_abs).all()


def float_observations(
    graph: ModelGraph, feeds: Feeds, kind: Kind = Kind.ALL, *, bodies: bool = False
) -> list[Observation]:
    """Every float tensor that an operator makes, by channels: axis 1 of images, else the last."""
    inputs = {name: TensorInfo(graph.tensors[name].dtype, feeds[name].shape) for name in graph.inputs}
    types = types_at(graph, inputs)
    found = []
    for node in graph:
        for name in node.outputs:
            info = types.get(name, TensorInfo(None, None))
            floating = info.dtype is not None and info.dtype.kind == "float"
            if name and floating and info.shape and bool(node.body) == bodies:
                found.append(Observation(name, 1 if len(info.shape) == 4 else -1, kind))
    return found
