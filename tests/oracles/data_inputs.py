"""Inputs of models as text, for tests of data."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from nnea_graph.engine.data import Batch, Data
from nnea_graph.graph import TensorInfo
from nnea_graph.graph.dtypes import BY_NAME


def inputs(text: str) -> dict[str, TensorInfo]:
    """``"x: float32[batch,3,8,8]; n: int64[]"`` as the inputs of a model."""
    return dict(_input(each) for each in text.split(";"))


def _input(text: str) -> tuple[str, TensorInfo]:
    match = re.fullmatch(r"\s*([^:]+): (\w+)\[(.*)\]\s*", text)
    assert match, text
    dims = tuple(int(dim) if dim.isdecimal() else dim for dim in match[3].split(",") if dim)
    return match[1], TensorInfo(BY_NAME[match[2]], dims)


def read(data: Data, batch_size: int = 4) -> list[Batch]:
    return list(data.batches(batch_size))


def sizes(data: Data, batch_size: int = 4) -> list[int]:
    return [batch.samples for batch in data.batches(batch_size)]


def joined(data: Data, name: str, batch_size: int = 4) -> Any:
    return np.concatenate([batch.feeds[name] for batch in data.batches(batch_size)])


def save_objects(path: Path) -> Path:
    """An npz with a pickled array."""
    with warnings.catch_warnings():
        np.savez(path, x=np.array([{"a": 1}, None], object))
    return path
