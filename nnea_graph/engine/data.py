"""Data that are fed to a model: batches of samples, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """One run's worth of samples.

    ``feeds`` holds an array for each input of the model, in the model's types; ``labels`` is int64 [samples].
    """

    feeds: dict[str, NDArray[Any]]
    samples: int
    labels: NDArray[Any] | None


class Data(Protocol):
    """Samples that fit a model; reading them twice gives the same samples in the same order.

    ``source`` is what the report prints; ``samples`` is None where only running through tells.
    """

    @property
    def source(self) -> str:
        """File name, or ``synthetic (seed 0)``."""
        ...

    @property
    def synthetic(self) -> bool:
        """Tells whether the samples are made up."""
        ...

    @property
    def labeled(self) -> bool:
        """Tells whether every batch has labels."""
        ...

    @property
    def samples(self) -> int | None:
        """Number of samples."""
        ...

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input for one sample; 1 on the batch axis where there is one."""
        ...

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Batches of so many samples; smaller where samples differ in shape or the model takes fewer.

        Raises:
            DataError: a value that the model cannot be given.
        """
        ...
