"""Seeded random samples for a model nobody gave data for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nnea_graph.engine.data import Batch
from nnea_graph.errors import DataError, UsageError
from nnea_graph.graph import DType, ModelGraph, TensorInfo
from nnea_graph.graph.dtypes import storage
from nnea_graph.runtime.data.feed_modes import batch_axis, samples_of_a_run
from nnea_graph.runtime.synthetic.input_uses import KnownTensors, uses_of
from nnea_graph.runtime.synthetic.value_generators import GeneratedInput, Maker, maker_of
from nnea_graph.static.dims import symbolic_inputs


@dataclass(frozen=True, slots=True)
class _Input:
    """Way in which one input is made; ``shape`` is that of one sample, with 1 on the batch axis."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    axis: int | None
    maker: Maker

    def sample(self, seed: int, number: int) -> NDArray[Any]:
        """The values of a sample depend on seed, name and number only, not on its batch."""
        rng = np.random.default_rng([seed, crc32(self.name.encode()), number])
        values = np.asarray(self.maker(rng, self.shape))
        return values.astype(object if self.dtype.kind == "string" else storage(self.dtype))


@dataclass(frozen=True, slots=True)
class SyntheticData:
    """``unit`` is how many samples a run takes, None where any number is taken."""

    inputs: tuple[_Input, ...]
    samples: int
    seed: int
    unit: int | None
    synthetic: bool = True
    labeled: bool = False

    @property
    def source(self) -> str:
        """Says that nothing here was measured on real data."""
        return f"synthetic (seed {self.seed})"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input for one sample."""
        return {each.name: each.shape for each in self.inputs}

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Batches of so many samples, or of what the model takes."""
        if batch_size < 1:
            raise UsageError(f"--batch-size {batch_size}: at least 1 sample a batch")
        size = self.unit or batch_size
        for start in range(0, self.samples, size):
            count = min(size, self.samples - start)
            numbers = range(start, start + count) if self.unit is None else range(start, start + 1)
            yield Batch({each.name: self._made(each, numbers) for each in self.inputs}, count, None)

    def _made(self, each: _Input, numbers: range) -> NDArray[Any]:
        if each.axis is None:
            # Beside batched inputs there is one for all samples, and it must not depend on the batch.
            return each.sample(self.seed, 0 if self.unit is None else numbers[0])
        return np.concatenate([each.sample(self.seed, number) for number in numbers], each.axis)


def synthetic_data(
    graph: ModelGraph,
    found_inputs: Mapping[str, TensorInfo],
    *,
    samples: int = 16,
    seed: int = 0,
    types: Mapping[str, TensorInfo] | None = None,
) -> SyntheticData:
    """Random samples that the model can run on.

    Args:
        graph: the model.
        found_inputs: its inputs with every dim a number.
        samples: how many to make (rounded up to whole runs of a model that takes several at a time).
        seed: same seed, same samples, whatever the batch size.
        types: types of all tensors at these dims (``Inference.types``); bounds of indices come from them.

    Raises:
        DataError: an input whose type or shape is not known.
        UsageError: fewer than one sample.
    """
    if samples < 1:
        raise UsageError(f"--samples {samples}: at least 1 sample")
    symbolic = symbolic_inputs(graph)
    known = KnownTensors(graph, {**(types or {}), **found_inputs})
    inputs = tuple(_input(name, symbolic[name], found_inputs, known) for name in graph.inputs)
    unit = _unit(inputs, symbolic)
    return SyntheticData(inputs, -(-samples // unit) * unit if unit else samples, seed, unit)


def _input(name: str, declared: TensorInfo, found: Mapping[str, TensorInfo], known: KnownTensors) -> _Input:
    info = found.get(name, declared)
    if info.dtype is None or info.static is None:
        raise DataError(
            f"input '{name}' has no known {'shape' if info.dtype else 'type'}, so no samples can be made up "
            f"for it; give --input-shape {name}:… or --data"
        )
    axis = batch_axis(declared)
    shape = tuple(1 if place == axis else dim for place, dim in enumerate(info.static))
    dims = declared.shape or shape
    subject = GeneratedInput(name, info.dtype, dims, shape, uses_of(known.graph, name), known, found)
    return _Input(name, info.dtype, shape, axis, maker_of(subject))


def _unit(inputs: tuple[_Input, ...], symbolic: Mapping[str, TensorInfo]) -> int | None:
    """Samples a run: as many as fixed dims say, 1 where a dim of 1 may be the batch, else any number."""
    if all(each.axis is None for each in inputs):
        return samples_of_a_run(symbolic.values())
    doubtful = any(
        each.axis is None
        and any(
            isinstance(dim, str) and size == 1
            for dim, size in zip(_dims(symbolic[each.name]), each.shape, strict=False)
        )
        for each in inputs
    )
    return 1 if doubtful else None


def _dims(info: TensorInfo) -> tuple[object, ...]:
    return info.shape or ()
