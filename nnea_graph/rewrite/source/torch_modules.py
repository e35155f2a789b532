"""New tensors in the place of a module's old ones, and its numbers of channels set right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]


def put(module: torch.nn.Module, names: Sequence[str], values: Array) -> None:
    """Give a tensor of the module, by all its full names, other values, of any shape."""
    import torch  # noqa: PLC0415 - torch is imported where it is used

    owner, last = owner_of(module, names[0])
    tables = owner._buffers, owner._parameters  # noqa: SLF001 - a tensor of another shape has no other way in
    old = next((table[last] for table in tables if table.get(last) is not None), None)
    given: torch.Tensor = torch.from_numpy(values.copy())
    if old is not None:
        given = given.to(old)
    if last not in owner._buffers:  # noqa: SLF001 - as above
        given = torch.nn.Parameter(given, requires_grad=old is None or old.requires_grad)
    for name in names:
        each, key = owner_of(module, name)
        table: dict[str, torch.Tensor] = each._buffers if key in each._buffers else each._parameters  # type: ignore[assignment] # noqa: SLF001
        table[key] = given


def for_module(module: torch.nn.Module, name: str, values: Array) -> Array:
    """Values of the pruned model as the module needs them.

    With a share s of the channels left, the model has x / sqrt(s · mean + ε): x / sqrt(mean + ε / s) / sqrt(s).
    """
    owner, last = owner_of(module, name)
    if last == "weight" and any(kind.__name__ == "RMSNorm" for kind in type(owner).__mro__):
        shape: Sequence[int] = owner.normalized_shape  # type: ignore[assignment] # of the old module
        return np.asarray(values * (prod(shape) / values.size) ** 0.5, values.dtype)
    return values


def owner_of(module: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    """The module that holds a tensor, and what it is called there."""
    path, _, last = name.rpartition(".")
    return module.get_submodule(path), last


def numbers(module: torch.nn.Module, groups: int | None = None) -> dict[str, Any]:
    """The numbers of channels that a module's tensors have; ``groups`` are those of a convolution."""
    for kind in type(module).__mro__:
        rule = _NUMBERS.get(kind.__name__)
        if rule is not None:
            return rule(module, groups)
    return {}


def _linear(module: Any, groups: int | None) -> dict[str, Any]:
    del groups
    outputs, inputs = module.weight.shape
    return {"in_features": inputs, "out_features": outputs}


def _convolution(module: Any, groups: int | None) -> dict[str, Any]:
    count = module.groups if groups is None else groups
    outer, inner = module.weight.shape[:2]
    if module.transposed:
        return {"groups": count, "in_channels": outer, "out_channels": inner * count}
    return {"groups": count, "in_channels": inner * count, "out_channels": outer}


def _batch_norm(module: Any, groups: int | None) -> dict[str, Any]:
    del groups
    return {
        "num_features": next(len(each) for each in (module.running_mean, module.weight) if each is not None)
    }


def _layer_norm(module: Any, groups: int | None) -> dict[str, Any]:
    del groups
    return {} if module.weight is None else {"normalized_shape": tuple(module.weight.shape)}


def _rms_norm(module: Any, groups: int | None) -> dict[str, Any]:
    """The mean is over fewer channels than the model's, which counts those that went: see ``for_module``."""
    del groups
    if module.weight is None:
        return {}
    shape, eps = tuple(module.weight.shape), module.eps
    if shape != tuple(module.normalized_shape):
        import torch  # noqa: PLC0415 - torch is imported where it is used

        eps = torch.finfo(module.weight.dtype).eps if eps is None else eps
        eps *= prod(module.normalized_shape) / prod(shape)
    return {"normalized_shape": shape, "eps": eps}


def _embedding(module: Any, groups: int | None) -> dict[str, Any]:
    del groups
    rows, width = module.weight.shape
    return {"num_embeddings": rows, "embedding_dim": width}


_NUMBERS: Mapping[str, Callable[[Any, int | None], dict[str, Any]]] = {
    "Linear": _linear,
    "_ConvNd": _convolution,
    "_BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "Embedding": _embedding,
}
