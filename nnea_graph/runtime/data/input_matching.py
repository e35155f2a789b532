"""Determines which array is for which input of the model, and which holds the labels."""

from __future__ import annotations

from collections.abc import Mapping

from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.columns import DataColumn

LABEL_NAMES = ("labels", "label", "y")

Columns = Mapping[str, DataColumn]


def assign(
    arrays: Columns, inputs: Mapping[str, TensorInfo], source: str, *, ranks: bool = True
) -> tuple[dict[str, DataColumn], DataColumn | None]:
    """The array of each input, and the labels if there are any: by name, else by position where ranks fit.

    Without ``ranks`` they need not, as the arrays are still to be changed.

    Raises:
        DataError: an input has no array.
    """
    _check_inputs(inputs, source)
    labels = {name: arrays[name] for name in arrays if is_label(name, inputs)}
    rest = {name: array for name, array in arrays.items() if name not in labels}
    chosen = rest if all(name in rest for name in inputs) else _by_position(rest, inputs, source, ranks=ranks)
    found = [labels[name] for name in sorted(labels, key=lambda name: LABEL_NAMES.index(name.lower()))]
    return {name: chosen[name] for name in inputs}, found[0] if found else None


def is_label(name: str, inputs: Mapping[str, TensorInfo]) -> bool:
    """Tells whether an array of that name holds labels; a model's own input never does."""
    return name.lower() in LABEL_NAMES and name not in inputs


def declared(info: TensorInfo) -> str:
    """A type as messages show it.

    >>> declared(TensorInfo(None, ("batch", 3)))
    'unknown type [batch, 3]'
    """
    dims = "of unknown rank" if info.shape is None else f"[{', '.join(str(dim) for dim in info.shape)}]"
    return f"{info.dtype or 'unknown type'} {dims}"


def given(column: DataColumn) -> str:
    """An array as messages show it: its name, type and shape."""
    return f"{column.name}, {column.dtype} {list(column.shape)}"


def _check_inputs(inputs: Mapping[str, TensorInfo], source: str) -> None:
    if not inputs:
        raise DataError(f"{source}: the model takes no inputs; leave --data out")
    for name, info in inputs.items():
        if info.dtype is None:
            raise DataError(
                f"{source}: input '{name}' is no tensor, or its type is unknown; it cannot be fed"
            )


def _by_position(
    arrays: Columns, inputs: Mapping[str, TensorInfo], source: str, *, ranks: bool
) -> dict[str, DataColumn]:
    pairs = list(zip(inputs.items(), arrays.values(), strict=False))
    strangers = len(arrays) == len(inputs) and not any(name in arrays for name in inputs)
    if strangers and (not ranks or all(_rank_fits(info, each) for (_, info), each in pairs)):
        return {name: column for (name, _), column in pairs}
    missing = next(name for name in inputs if name not in arrays)
    held = (
        ", ".join(f"'{name}' {each.dtype} {list(each.shape)}" for name, each in arrays.items()) or "no array"
    )
    raise DataError(
        f"{source}: no array for input '{missing}', which wants {declared(inputs[missing])}; it holds {held}"
    )


def _rank_fits(info: TensorInfo, column: DataColumn) -> bool:
    return info.shape is None or len(column.shape) - len(info.shape) in {0, 1}
