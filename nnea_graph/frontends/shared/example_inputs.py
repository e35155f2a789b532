"""Inputs of a Keras model or a function of TensorFlow: what they are called, and examples of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.interface import Example, InputSpec

_SEED = 0
_BATCH = 2
_OPEN = 32
"""For dims that may be any number: most networks on sequences and pictures take that many."""

_UNNAMED = re.compile(r"keras_tensor(_\d+)?")
"""Keras counts them through the whole process."""

_NOT_INPUTS = frozenset({"training", "mask"})


@dataclass(frozen=True, slots=True)
class Input:
    """One tensor: ``dims`` are None where any number will do, ``dtype`` is numpy's name."""

    name: str
    dims: tuple[int | None, ...]
    dtype: str


def given_names(names: Sequence[str]) -> list[str]:
    """The names of inputs, or their places where nobody has given them any.

    >>> given_names(["keras_tensor_7"])
    ['input']
    """
    if not any(_UNNAMED.fullmatch(name) for name in names):
        return list(names)
    return [f"input_{place}" if len(names) > 1 else "input" for place, _ in enumerate(names)]


def arrays_of(example: Example | None, inputs: Sequence[Input]) -> dict[str, NDArray[Any]]:
    """An example of each input, made up where none is given: normal numbers, and 0 and 1 for whole ones.

    Raises:
        UsageError: there are more or fewer, of other names, or of other ranks.
    """
    parts = parts_of(example, [each.name for each in inputs]) if example is not None else [None] * len(inputs)
    random = np.random.default_rng(_SEED)
    return {each.name: _array(part, each, random) for part, each in zip(parts, inputs, strict=True)}


def parts_of(example: Example, names: Sequence[str]) -> list[Any]:
    """The parts of an example in the order of the names.

    Raises:
        UsageError: there are more or fewer, or of other names.
    """
    if isinstance(example, Mapping):
        if set(example) != set(names):
            raise UsageError(
                f"the example has {_listed(sorted(example))}; the model's inputs are {_listed(names)}"
            )
        return [example[name] for name in names]
    several = isinstance(example, tuple | list) and not all(isinstance(each, int | float) for each in example)
    parts = list(example) if several else [example]
    if len(parts) != len(names):
        raise UsageError(f"the example has {len(parts)} parts; the model's inputs are {_listed(names)}")
    return parts


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _array(part: Any, wanted: Input, random: np.random.Generator) -> NDArray[Any]:
    if part is None or isinstance(part, InputSpec):
        dims = part.dims if part is not None else _closed(wanted.dims)
        return made_up(InputSpec(dims, wanted.dtype), random)
    array = np.asarray(part).astype(wanted.dtype)
    if array.ndim != len(wanted.dims):
        raise UsageError(
            f"input '{wanted.name}' takes {list(wanted.dims)} (None is any number); the example has {list(array.shape)}"
        )
    return array


def _closed(dims: Sequence[int | None]) -> tuple[int, ...]:
    usual = (_BATCH, *[_OPEN] * len(dims))
    return tuple(other if dim is None else dim for dim, other in zip(dims, usual, strict=False))


def made_up(spec: InputSpec, random: np.random.Generator) -> NDArray[Any]:
    """Normal numbers; of whole numbers 0 and 1, which every table of embeddings has."""
    dtype = np.dtype(spec.dtype or "float32")
    if dtype.kind == "f":
        return random.standard_normal(spec.dims).astype(dtype)
    return random.integers(0, 2, spec.dims).astype(dtype)


# Calls that only their code describes


def parameters(call: Callable[..., Any]) -> dict[str, bool]:
    """Names of the parameters that may be inputs, and which are needed."""
    several = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return {
        each.name: each.default is inspect.Parameter.empty
        for each in inspect.signature(call).parameters.values()
        if each.kind not in several and each.name not in _NOT_INPUTS
    }


def arguments(parameters: Iterable[str], example: Example) -> dict[str, Any]:
    """The example by parameter; a list or dict may be what the only one takes.

    Raises:
        UsageError: it has more parts, or others.
    """
    names = tuple(parameters)
    if isinstance(example, Mapping) and names[0] in example and set(example) <= set(names):
        return {name: example[name] for name in names if name in example}
    if len(names) == 1:
        return {names[0]: example}
    several = example if isinstance(example, tuple | list) else [example]
    if isinstance(example, Mapping) or len(several) > len(names):
        found = ", ".join(example) if isinstance(example, Mapping) else f"{len(several)} parts"
        raise UsageError(f"the example has {found}; the model takes {', '.join(names)}")
    return dict(zip(names, several, strict=False))


def leaf_name(path: Sequence[Any], parameters: Sequence[str]) -> str:
    """The keys of a dict where that is what the only parameter takes, else after the parameter."""
    first, *inner = path
    if inner and len(parameters) == 1 and all(isinstance(key, str) for key in inner):
        return "_".join(inner)
    return "_".join([parameters[first], *map(str, inner)])
