"""How a constant of an exported graph comes from the source's own tensors, and making it again from new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, NDArray[Any]]
"""The source's tensors by name."""


class Derivation(Protocol):
    """``names`` are the tensors that it takes, the one that it is mostly made of first."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tensors that it is made of."""
        ...

    def make(self, values: Values) -> NDArray[Any]:
        """The constant, in its shape."""
        ...


@dataclass(frozen=True, slots=True)
class TransposedTensor:
    """A whole tensor with its axes in another order, then in another shape."""

    name: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The tensor."""
        return (self.name,)

    def make(self, values: Values) -> NDArray[Any]:
        """A view where numpy can give one."""
        return values[self.name].transpose(self.axes).reshape(self.shape)

    def at(self, values: Values, places: NDArray[np.int64]) -> NDArray[Any]:
        """Single elements of it, by their places in the flat constant, without making the rest."""
        value = values[self.name]
        if not self.axes:
            return value.reshape(-1)[places]
        turned = np.unravel_index(places, tuple(value.shape[axis] for axis in self.axes))
        index = dict(zip(self.axes, turned, strict=True))
        found: NDArray[Any] = value[tuple(index[axis] for axis in range(value.ndim))]
        return found


@dataclass(frozen=True, slots=True)
class ConcatenatedTensor:
    """Runs of elements one after the other, each a tensor, a start and a stop."""

    runs: tuple[tuple[str, int, int], ...]
    shape: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors, each once."""
        return tuple(dict.fromkeys(name for name, _, _ in self.runs))

    def make(self, values: Values) -> NDArray[Any]:
        """A copy."""
        return np.concatenate([values[name].reshape(-1)[a:b] for name, a, b in self.runs]).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class GatheredTensor:
    """Elements of a tensor in any order."""

    name: str
    index: NDArray[np.int64]
    shape: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The tensor."""
        return (self.name,)

    def make(self, values: Values) -> NDArray[Any]:
        """A copy."""
        return values[self.name].reshape(-1)[self.index].reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Normalization:
    """A BatchNorm as it computes with fixed statistics; ``gamma`` and ``beta`` are "" where it has none."""

    mean: str
    variance: str
    gamma: str
    beta: str
    epsilon: float

    @property
    def names(self) -> tuple[str, ...]:
        """Its tensors."""
        return tuple(name for name in (self.gamma, self.beta, self.mean, self.variance) if name)

    def scale(self, values: Values) -> NDArray[np.float64]:
        """Factor that it multiplies each channel by."""
        gamma = values[self.gamma].astype(np.float64) if self.gamma else 1.0
        scale: NDArray[np.float64] = gamma / np.sqrt(values[self.variance].astype(np.float64) + self.epsilon)
        return scale

    def shift(self, values: Values, bias: NDArray[Any] | float) -> NDArray[np.float64]:
        """The bias that the operator before has together with it."""
        beta = values[self.beta].astype(np.float64) if self.beta else 0.0
        shift: NDArray[np.float64] = (bias - values[self.mean].astype(np.float64)) * self.scale(values) + beta
        return shift


@dataclass(frozen=True, slots=True)
class NormScale:
    """Scale that a normalization multiplies by, where no operator before has taken it up."""

    norm: Normalization
    shape: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tensors that it is made of."""
        return tuple(name for name in (self.norm.gamma, self.norm.variance) if name)

    def make(self, values: Values) -> NDArray[np.float32]:
        """Computes in float32, as Keras computes it."""
        return self.norm.scale(values).astype(np.float32).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class FoldedWeight:
    """A weight times the scale of the normalization after it, along one axis of the constant."""

    weight: TransposedTensor
    norm: Normalization
    axis: int

    @property
    def names(self) -> tuple[str, ...]:
        """The weight first."""
        scaling = (self.norm.gamma, self.norm.variance)
        return (self.weight.name, *(name for name in scaling if name))

    def make(self, values: Values) -> NDArray[Any]:
        """Result in the type of the weight."""
        weight = self.weight.make(values)
        scale = self.norm.scale(values)
        along = [1] * weight.ndim
        along[self.axis] = -1
        return (weight * scale.reshape(along)).astype(weight.dtype)


@dataclass(frozen=True, slots=True)
class FoldedBias:
    """A bias, "" where there is none, with the normalization after it."""

    bias: str
    norm: Normalization

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what shifts before what scales."""
        norm = self.norm
        every = (self.bias, norm.beta, norm.gamma, norm.mean, norm.variance)
        return tuple(name for name in every if name)

    def make(self, values: Values) -> NDArray[Any]:
        """Result in the type of the statistics."""
        bias = values[self.bias].astype(np.float64) if self.bias else 0.0
        return self.norm.shift(values, bias).astype(values[self.norm.mean].dtype)


@dataclass(frozen=True, slots=True)
class ScaledTensor:
    """A tensor times a number of the model's own."""

    whole: TransposedTensor
    factor: float

    @property
    def names(self) -> tuple[str, ...]:
        """The tensor."""
        return (self.whole.name,)

    def make(self, values: Values) -> NDArray[Any]:
        """Result in the type of the tensor."""
        whole = self.whole.make(values)
        made: NDArray[Any] = (whole * np.asarray(self.factor, whole.dtype)).astype(whole.dtype)
        return made
