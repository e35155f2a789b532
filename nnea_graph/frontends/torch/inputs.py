"""Example inputs of a torch module: from arrays, tensors or shapes to what its forward takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.interface import Example, InputSpec

if TYPE_CHECKING:
    import torch

_SEED = 0
_BATCH = 2
"""Samples to export with: a batch of 1 would be taken for a number of the model's own."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SHORT = {"float32": "f32", "int64": "i64"}


@dataclass(frozen=True, slots=True)
class Call:
    """Arguments of a forward, and the same by the names of its parameters."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: Mapping[str, Any]

    @property
    def tensors(self) -> list[torch.Tensor]:
        """Every tensor, however deep in lists and dicts, in the order of the graph's inputs."""
        from torch.utils import _pytree as tree  # noqa: PLC0415 - torch is imported where it is used

        return [leaf for leaf in tree.tree_leaves((self.args, self.kwargs)) if hasattr(leaf, "detach")]

    def mapped(self, change: Callable[[torch.Tensor], object], other: Callable[[Any], object]) -> Call:
        """The same with something else in the place of every tensor, and of everything that is none."""
        from torch.utils import _pytree as tree  # noqa: PLC0415

        done: dict[int, object] = {}

        def leaf(value: Any) -> object:
            if not hasattr(value, "detach"):
                return other(value)
            if id(value) not in done:
                done[id(value)] = change(value)
            return done[id(value)]

        parts = (self.args, self.kwargs, dict(self.names))
        return Call(*(tree.tree_map(leaf, part) for part in parts))

    def replaced(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Call:
        """The same with other tensors."""
        return self.mapped(change, lambda value: value)


def forward_names(module: torch.nn.Module) -> dict[str, bool]:
    """Names of the parameters of a module's forward, and whether they must be given."""
    parameters = inspect.signature(module.forward).parameters.values()
    return {
        each.name: each.default is inspect.Parameter.empty
        for each in parameters
        if each.kind in {*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY}
    }


def call_of(module: torch.nn.Module, example: Example) -> Call:
    """The call that an example means: by name where its names are the forward's, else by position.

    Raises:
        UsageError: the forward does not take so many, or not of these names.
    """
    args, kwargs = _arguments(module, example)
    signature = inspect.signature(module.forward)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        wanted = ", ".join(forward_names(module))
        raise UsageError(
            f"the example does not fit forward({wanted}): {error}; give its inputs in this order or by these names"
        ) from error
    make = _Maker(module)
    made = {name: make(value) for name, value in bound.arguments.items()}
    bound.arguments.update(made)
    return Call(bound.args, bound.kwargs, made)


def _arguments(module: torch.nn.Module, example: Example) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not isinstance(example, Mapping):
        several = isinstance(example, tuple | list) and not all(
            isinstance(each, int | float) for each in example
        )
        return (tuple(example) if several else (example,)), {}
    names = forward_names(module)
    if set(example) <= set(names) or len(names) != 1:
        return (), dict(example)
    (only,) = names
    return (), {only: dict(example)}


class _Maker:
    """Turns arrays and shapes into tensors where the module is and of the type that it computes in."""

    def __init__(self, module: torch.nn.Module) -> None:
        import torch  # noqa: PLC0415

        held = next((each for each in module.parameters() if each.is_floating_point()), None)
        self._device = held.device if held is not None else torch.device("cpu")
        self._dtype = held.dtype if held is not None else torch.float32
        self._generator = torch.Generator().manual_seed(_SEED)

    def __call__(self, value: Any) -> Any:
        from torch.utils import _pytree as tree  # noqa: PLC0415

        return tree.tree_map(self._leaf, value)

    def _leaf(self, value: Any) -> Any:
        import torch  # noqa: PLC0415

        if isinstance(value, InputSpec):
            value = self._random(value)
        elif isinstance(value, np.ndarray | np.generic):
            value = torch.from_numpy(np.array(value))
        if not isinstance(value, torch.Tensor):
            return value
        value = value.detach().to(self._device)
        return value.to(self._dtype) if value.is_floating_point() else value

    def _random(self, spec: InputSpec) -> torch.Tensor:
        """Normal numbers; of whole numbers 0 and 1, which every table of embeddings has."""
        import torch  # noqa: PLC0415

        dtype = getattr(torch, spec.dtype) if spec.dtype else self._dtype
        if dtype.is_floating_point:
            return torch.randn(spec.dims, generator=self._generator).to(dtype)
        return torch.randint(0, 2, spec.dims, generator=self._generator).to(dtype)


def batch_of(call: Call) -> int | None:
    """The number of samples: the first dim of the first tensor that has one."""
    return next((int(tensor.shape[0]) for tensor in call.tensors if tensor.ndim), None)


def resized(call: Call) -> Call:
    """Two samples of each tensor that has as many as the first one."""
    batch = batch_of(call)

    def change(tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.ndim or tensor.shape[0] != batch or not batch:
            return tensor
        return tensor[[row % batch for row in range(_BATCH)]]

    return call.replaced(change)


def own_names(call: Call) -> list[str]:
    """Names that the user gives each tensor, where the forward takes one dict of them; else nothing."""
    (value, *others) = call.names.values() or [None]
    flat = isinstance(value, Mapping) and all(hasattr(each, "detach") for each in value.values())
    return [str(name) for name in value] if flat and not others and isinstance(value, Mapping) else []


def dynamic_shapes(call: Call, dim: object) -> dict[str, Any]:
    """``dim`` as the first dim of every tensor that has as many samples as the first one, by parameter."""
    batch = batch_of(call)

    def spec(tensor: torch.Tensor) -> dict[int, object] | None:
        return {0: dim} if tensor.ndim and tensor.shape[0] == batch else None

    return dict(call.mapped(spec, lambda _: None).names)


def described(call: Call) -> str:
    """The shapes and types of a call, for a message."""
    parts = []
    for tensor in call.tensors:
        kind = str(tensor.dtype).removeprefix("torch.")
        parts.append(f"{_SHORT.get(kind, kind)}:{'x'.join(map(str, tensor.shape))}")
    return ", ".join(parts)


def tensors_like(call: Call, arrays: Sequence[np.ndarray[Any, Any]]) -> Call:
    """The same call with other arrays for its tensors, in their order."""
    import torch  # noqa: PLC0415

    waiting = iter(arrays)
    first = next((tensor for tensor in call.tensors), None)
    device = first.device if first is not None else torch.device("cpu")
    replaced: dict[int, torch.Tensor] = {
        id(tensor): torch.from_numpy(_known(next(waiting))).to(device=device, dtype=tensor.dtype)
        for tensor in call.tensors
    }
    return call.replaced(lambda tensor: replaced[id(tensor)])


def _known(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy in a type that torch takes: numpy's bfloat16 is none."""
    return np.array(array, np.float32 if array.dtype.name == "bfloat16" else array.dtype)
