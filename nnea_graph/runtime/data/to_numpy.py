"""Arrays of other libraries as numpy arrays, by what they can do; none of them is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.columns import ArrayColumn, DataColumn
from nnea_graph.runtime.data.input_matching import is_label


def is_array(value: object) -> bool:
    """Tells whether a value is an array or tensor of some library."""
    return hasattr(value, "__array__") or (hasattr(value, "numpy") and hasattr(value, "shape"))


def is_whole(value: object) -> bool:
    """Tells whether a value is all the data at once, a mapping, an array or a tuple of arrays; a list holds batches."""
    many = isinstance(value, tuple) and bool(value) and all(is_array(each) for each in value)
    return many or isinstance(value, Mapping) or is_array(value)


def nested(item: object) -> tuple[str, Mapping[str, Any]] | None:
    """The name and the entries of a mapping that is all there is in another one; None where it is otherwise.

    >>> nested({"batch": {"left": [1], "right": [2]}})
    ('batch', {'left': [1], 'right': [2]})
    """
    if not isinstance(item, Mapping) or len(item) != 1:
        return None
    ((name, value),) = item.items()
    return (str(name), value) if isinstance(value, Mapping) else None


def to_array(value: Any, place: str) -> NDArray[Any]:
    """A numpy array of an array, a tensor (of whatever device) or nested lists of numbers.

    Raises:
        DataError: it is none, or holds Python objects.
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value  # which numpy does not have
    try:
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise DataError(f"{place} is no array: {reason}") from error
    if array.dtype.hasobject:
        raise DataError(f"{place} holds Python objects; give plain numbers, all samples of one shape")
    return array


def columns_of(item: object, inputs: Mapping[str, TensorInfo], source: str) -> dict[str, DataColumn]:
    """A mapping, an array, or a sequence (inputs in order, then perhaps labels) as named arrays."""
    named = _named(item, inputs, source)
    return {
        name: ArrayColumn(f"{source}: '{name}'", to_array(value, f"{source}: '{name}'"))
        for name, value in named.items()
    }


def _named(item: object, inputs: Mapping[str, TensorInfo], source: str) -> dict[str, Any]:
    if isinstance(item, Mapping):
        inner = nested(item)
        return {str(name): value for name, value in (inner[1] if inner else item).items()}
    if is_array(item):
        return _ordered([item], inputs, source)
    if not isinstance(item, Sequence) or isinstance(item, str | bytes):
        raise DataError(
            f"{source} yields {type(item).__name__}; wanted are dicts of arrays, or (inputs, labels)"
        )
    if len(item) == 2 and _is_group(item[0]):
        return _named(item[0], inputs, source) | _labels(item[1], inputs, source)
    if len(item) == len(inputs) + 1:
        return _ordered(item[:-1], inputs, source) | _labels(item[-1], inputs, source)
    return _ordered(item, inputs, source)


def _is_group(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, Sequence) and bool(value) and all(is_array(each) for each in value)
    )


def _ordered(arrays: Sequence[Any], inputs: Mapping[str, TensorInfo], source: str) -> dict[str, Any]:
    if len(arrays) != len(inputs):
        raise DataError(f"{source} gives {len(arrays)} arrays for {len(inputs)} inputs ({', '.join(inputs)})")
    return dict(zip(inputs, arrays, strict=True))


def _labels(value: Any, inputs: Mapping[str, TensorInfo], source: str) -> dict[str, Any]:
    name = next((name for name in ("labels", "label", "y") if is_label(name, inputs)), None)
    if name is None:
        raise DataError(f"{source} gives labels, but the model's inputs have all names that labels can have")
    return {} if value is None else {name: value}
