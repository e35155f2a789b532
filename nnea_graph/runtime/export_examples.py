"""The first samples of the user's data, as an example to export a live model with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnea_graph.errors import DataError
from nnea_graph.frontends.shared.interface import Arrays, Example
from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.runtime.data.columns import ArrayColumn, DataColumn
from nnea_graph.runtime.data.folders import file_columns
from nnea_graph.runtime.data.input_matching import is_label
from nnea_graph.runtime.data.to_numpy import columns_of, is_whole, nested
from nnea_graph.runtime.data.user_loader import first_item, loader_of
from nnea_graph.runtime.open_data import Spec, open_data

_SAMPLES = 2
_ANY = TensorInfo(BY_NAME["float32"], None)
"""What nobody has said yet of an input."""


def example_of(spec: Spec, names: Mapping[str, bool], preprocess: str | None = None) -> Example:
    """Two samples of each input that the data have, by name; of an input that is a dict, by the names in it.

    Args:
        spec: what the user gives as data.
        names: the inputs that there may be, in order, and whether they are needed.
        preprocess: how images become inputs.

    Raises:
        DataError: the data do not fit, or cannot be read.
    """
    needed = [name for name, must in names.items() if must] or list(names)[:1]
    columns = _columns(spec, needed, list(names), preprocess)
    given = {name: column for name, column in columns.items() if not is_label(name, _any(names))}
    outer = nested(spec)
    if outer and outer[0] in names:
        return {outer[0]: _rows(given)}
    if set(given) & set(names):
        given = {name: given[name] for name in names if name in given}
    elif len(given) == len(needed):
        given = dict(zip(needed, given.values(), strict=True))
    return _rows(given)


def _any(names: Iterable[str]) -> dict[str, TensorInfo]:
    return dict.fromkeys(names, _ANY)


def _columns(
    spec: Spec, needed: list[str], names: list[str], preprocess: str | None
) -> Mapping[str, DataColumn]:
    """Columns by the names that the data have, else by position: the needed inputs, or all of them."""
    item: Any = spec
    title = getattr(spec, "__name__", type(spec).__name__)
    if isinstance(spec, str | Path):
        title = str(spec)
        loader = loader_of(title)
        if loader is None:
            return _stored(Path(spec), needed, preprocess)
        item = loader
    if not is_whole(item):
        item = first_item(title, item)
    try:
        return columns_of(item, _any(needed), title)
    except DataError:
        if names == needed:
            raise
        return columns_of(item, _any(names), title)


def _stored(path: Path, needed: list[str], preprocess: str | None) -> Mapping[str, DataColumn]:
    if path.is_file() and path.suffix in {".npz", ".npy"} and preprocess is None:
        return file_columns(path, _any(needed))
    data = open_data(path, _any(needed), samples=_SAMPLES, preprocess=preprocess)
    feeds = next(data.batches(_SAMPLES)).feeds
    return {name: ArrayColumn(name, array) for name, array in feeds.items()}


def _rows(columns: Mapping[str, DataColumn]) -> Arrays:
    """The first rows of each array that has as many as the first; the others as they are."""
    lengths = {name: column.shape[0] for name, column in columns.items() if column.shape}
    samples = next(iter(lengths.values()), None)
    return {
        name: np.asarray(
            column.reader()(min(_SAMPLES, samples))
            if samples and lengths.get(name) == samples
            else column.whole()
        )
        for name, column in columns.items()
    }
