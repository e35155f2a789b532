"""``tf.data`` pipelines, known by what they can do: TensorFlow is not imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SAMPLES = 32
"""Of a batch that is made here."""

_INFINITE = -1
"""``tf.data.INFINITE_CARDINALITY``."""

_WHOLE = "_TensorDataset"
"""What ``from_tensors`` gives: all there is as one item."""

_APART = ("Unbatch", "FlatMap", "Interleave")
"""In the names of steps whose items are not those of the step before."""


def is_pipeline(spec: object) -> bool:
    """Tells whether it is a ``tf.data.Dataset``."""
    return hasattr(spec, "element_spec") and hasattr(spec, "cardinality")


def is_endless(pipeline: Any) -> bool:
    """Tells whether it is known to begin again and again."""
    return int(pipeline.cardinality()) == _INFINITE


def batched(pipeline: Any) -> Any:
    """A pipeline of single samples as one of batches.

    Shapes alone do not tell samples from batches. A batch has an open first dim, or as many of everything, or a step
    has made it; a label that is one number belongs to one sample.
    """
    shapes = list(_shapes(pipeline.element_spec))
    if all(shapes) and (_equally_many(shapes) or _makes_batches(pipeline)):
        return pipeline
    return pipeline.batch(_SAMPLES)


def _equally_many(shapes: list[tuple[int | None, ...]]) -> bool:
    first = {shape[0] for shape in shapes}
    return None in first or (len(shapes) > 1 and len(first) == 1)


def _shapes(structure: Any) -> Iterator[tuple[int | None, ...]]:
    """The shapes of the tensors in a structure of types, where their number of dims is known."""
    if isinstance(structure, Mapping):
        structure = tuple(structure.values())
    if isinstance(structure, tuple):
        for each in structure:
            yield from _shapes(each)
        return
    shape = getattr(structure, "shape", None)
    if shape is not None and shape.rank is not None:
        yield tuple(shape)


def _makes_batches(pipeline: Any) -> bool:
    """Tells whether a step of it does, and none after it takes them apart."""
    waiting = [pipeline]
    while waiting:
        step = waiting.pop()
        name = type(step).__name__
        if "Batch" in name or name == _WHOLE:
            return True
        if not any(word in name for word in _APART):
            waiting += step._inputs()  # noqa: SLF001 - no public way back
    return False
