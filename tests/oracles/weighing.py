"""Importance by brute force: float64, from stored activations of the original model, with loops in place of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto

Array = NDArray[Any]
Acts = Mapping[str, Array]

SPARSE = {"0": 0.0, "1e-3": 1e-3, "1e-2": 1e-2, "1e-1": 1e-1}


def stored_activations(model: ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor that the main graph makes, and its inputs, as onnxruntime runs the original model.

    Products between quantized tensors are computed in floats: kernels of integers may saturate. Constants are left
    where they are, as other optimizations change results.
    """
    copy = ModelProto.FromString(model.SerializeToString())
    constant = {tensor.name for tensor in copy.graph.initializer}
    for node in copy.graph.node:
        constant.update(node.output if constant.issuperset(node.input) else ())
    names = [name for node in copy.graph.node for name in node.output if name and name not in constant]
    present = {value.name for value in copy.graph.output}
    copy.graph.output.extend(ValueInfoProto(name=name) for name in names if name not in present)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # kernels of integers may saturate
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options)
    return {**feeds, **dict(zip(names, session.run(names, dict(feeds)), strict=True))}


def mean_abs(array: Array, axis: int) -> Array:
    """Mean |a| of each channel over everything else."""
    rows = np.moveaxis(array.astype(np.float64), axis, -1).reshape(-1, array.shape[axis])
    mean: Array = np.abs(rows).mean(0)
    return mean


def along(weight: Array, axis: int, means: Array) -> Array:
    """|w| times the mean of the channel at its place on the axis."""
    x = np.abs(weight.astype(np.float64))
    for place in range(weight.shape[axis]):
        index: list[Any] = [slice(None)] * weight.ndim
        index[axis] = place
        x[tuple(index)] *= means[place]
    return x


def grouped(weight: Array, groups: int, means: Array, *, along_first: bool) -> Array:
    """A weight of which the second axis counts within a group that the first one tells."""
    x = np.abs(weight.astype(np.float64))
    rows, width = weight.shape[:2]
    for row in range(rows):
        group = row // (rows // groups)
        for place in range(width):
            x[row, place] *= means[row if along_first else group * width + place]
    return x


def gini(x: Array) -> float:
    """Half the mean difference of all pairs over the mean."""
    differences = sum(float(np.abs(x - each).sum()) for each in x)
    return differences / (2 * x.size**2 * float(x.mean()))


def lorenz(x: Array, share: float) -> float:
    """What the smallest share of the numbers holds, the last number in part."""
    ordered = np.sort(x)
    whole = int(share * x.size + 1e-9)
    rest = share * x.size - whole
    held = ordered[:whole].sum() + (ordered[whole] * rest if whole < x.size else 0.0)
    return float(held / ordered.sum())


def reach(x: Array, share: float) -> float:
    """The fraction of the numbers, from the largest on, that holds a share of the sum."""
    ordered = np.sort(x)[::-1]
    goal, held = share * ordered.sum(), 0.0
    for count, each in enumerate(ordered):
        if held + each >= goal:
            return float((count + (goal - held) / each) / x.size)
        held += each
    return 1.0


def expected_metrics(x: Array) -> dict[str, Any]:
    """Every metric of the definitions, of finite x that are not all zero."""
    p = x / x.sum()
    entropy = -sum(float(each * np.log(each)) for each in p if each > 0)
    return {
        "count": x.size,
        "zeros": int((x == 0).sum()),
        "entropy": entropy,
        "normalized_entropy": entropy / np.log(x.size),
        "effective_weights": np.exp(entropy),
        "utilization": np.exp(entropy) / x.size,
        "redundancy": 1 - entropy / np.log(x.size),
        "gini": gini(x),
        "hill_0": float((x > 0).sum()),
        "hill_2": 1 / float((p**2).sum()),
        "hill_inf": 1 / float(p.max()),
        "mean": float(x.mean()),
        "std": float(x.std()),
        "max": float(x.max()),
        "sparsity": {name: float((x < limit).mean()) for name, limit in SPARSE.items() if limit},
        "top_share": {str(top): 1 - lorenz(x, 1 - top / 100) for top in (1, 5, 10, 20, 50)},
        "reach": {str(part): reach(x, part / 100) for part in (50, 80, 90)},
        "lorenz": [lorenz(x, place / 100) for place in range(101)],
    }


X = Callable[[Acts], Sequence[Array]]


@dataclass(frozen=True)
class Case:
    """A model, what it is run on, and the x of its layers by side and operator, one array a weight."""

    model: ModelProto
    feeds: Mapping[str, Array]
    inputs: Mapping[str, X]
    outputs: Mapping[str, X]
