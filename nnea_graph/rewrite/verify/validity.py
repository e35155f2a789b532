"""Faults: what is wrong with a model that should do what another one does."""

from __future__ import annotations

import onnx
from onnx import ModelProto

from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.runtime.export.large_models import with_inputs


def faults_of(original: ModelGraph, pruned: ModelGraph, model: ModelProto) -> list[str]:
    """Faults that onnx.checker says, and inputs and outputs that have other names, types or shapes than before."""
    return [
        *_checked(model),
        *_differing("inputs", original, original.inputs, pruned, pruned.inputs),
        *_differing("outputs", original, original.outputs, pruned, pruned.outputs),
    ]


def _checked(model: ModelProto) -> list[str]:
    try:
        onnx.checker.check_model(with_inputs(model), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        return [f"onnx.checker: {' '.join(str(error).split())[:400]}"]
    return []


def _differing(
    what: str, original: ModelGraph, before: tuple[str, ...], pruned: ModelGraph, after: tuple[str, ...]
) -> list[str]:
    if before != after:
        return [f"{what} are {', '.join(after) or 'none'}, in the original {', '.join(before) or 'none'}"]
    unknown = TensorInfo(None, None)
    return [
        f"'{name}' is {_declared(pruned.tensors.get(name, unknown))},"
        f" in the original {_declared(original.tensors.get(name, unknown))}"
        for name in before
        if original.tensors.get(name, unknown) != pruned.tensors.get(name, unknown)
    ]


def _declared(info: TensorInfo) -> str:
    dims = "?" if info.shape is None else ", ".join("?" if dim is None else str(dim) for dim in info.shape)
    return f"{info.dtype or 'of no known type'} [{dims}]"
