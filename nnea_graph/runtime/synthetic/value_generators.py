"""Determines which made-up values suit an input: by what the model does with it, then by its name, type and shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import DType, TensorInfo
from nnea_graph.runtime.synthetic.input_uses import KnownTensors, Use, is_index
from nnea_graph.runtime.synthetic.noise import smooth_image

Maker = Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]]
"""Makes the values of one sample in the shape asked for."""


@dataclass(frozen=True, slots=True)
class GeneratedInput:
    """An input: its type, declared shape (with symbols) and shape in numbers, its uses, and all inputs' shapes."""

    name: str
    dtype: DType
    declared: tuple[object, ...]
    shape: tuple[int, ...]
    uses: list[Use]
    known: KnownTensors
    inputs: Mapping[str, TensorInfo]

    @property
    def integral(self) -> bool:
        """Tells whether it holds whole numbers."""
        return self.dtype.kind in {"int", "uint"}

    def named(self, pattern: re.Pattern[str]) -> bool:
        """Tells whether a word of the name is of that kind."""
        return pattern.search(self.name.lower()) is not None


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{'|'.join(words)})(?![a-z])")


_MASK = re.compile("mask")
_RATE = _words("sr", "fs", "sample_?rate", "sampling_?rate", "sample_?freq(?:uency)?")
_LENGTH = re.compile(
    r"(?<![a-z])(?:seq|input|src|source|text|x|audio|feature)?s?_?(?:len|lens|lengths?)(?![a-z])"
)
_POSITION = _words("positions?", "position_ids?", "pos_ids?")
_STATE = _words("states?", "hidden", "cell", "past", "caches?", "mems?", "[hc]_?[0x]?", "[hc](?:_in|0)")
_NO_STATE = re.compile("hidden_states|(?:encoder|last)_hidden")
_SOUND = _words("wav(?:eform)?", "audio", "speech", "pcm", "signal", "input_values")

_SECOND = 16_000
_LONG = 4_000
"""An axis this long is time in samples of sound, not features."""

_LOWEST = -1e3
"""What is added to, or put for, a score to mask it is far below any real score."""

_WEIGHING = frozenset({"Mul", "And", "ReduceSum"})
"""What is multiplied by a mask, or counted by it, is kept where the mask is 1."""

_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_PIXEL_CHANNELS = frozenset({1, 3, 4})


def maker_of(subject: GeneratedInput) -> Maker:
    """The first kind of value that suits the input."""
    return next(maker for rule in _RULES if (maker := rule(subject)) is not None)


def _text(subject: GeneratedInput) -> Maker | None:
    return _filled("a") if subject.dtype.kind == "string" else None


def _index(subject: GeneratedInput) -> Maker | None:
    """Token ids below the rows of every table that they index; 0, always a row, where those are not known."""
    bounds = [bound for use in subject.uses if (bound := subject.known.bound(use)) is not None]
    if not bounds and not any(is_index(use) for use in subject.uses):
        return None
    rows = max(1, min(bounds, default=1))
    if subject.named(_POSITION):
        return _counting(rows)
    return lambda rng, shape: rng.integers(0, rows, shape)


def _sample_rate(subject: GeneratedInput) -> Maker | None:
    single = np.prod(subject.shape, dtype=int) == 1
    return _filled(_SECOND) if single and subject.named(_RATE) else None


def _mask(subject: GeneratedInput) -> Maker | None:
    """Mask that lets everything through: ones, or zeros where the model puts a low score for a one."""
    if subject.dtype.kind != "bool" and not subject.named(_MASK):
        return None
    votes = [vote for use in subject.uses if (vote := _keeping(subject, use)) is not None]
    return _filled(max(votes)[1] if votes else 1)


def _keeping(subject: GeneratedInput, use: Use) -> tuple[int, int] | None:
    """How sure it is, and which value of the mask keeps what this operator masks; None where that does not show."""
    if subject.dtype.kind == "float" and use.node.op_type in {"Add", "Attention"}:
        return 1, 0
    if use.node.op_type in _WEIGHING:
        return 0, int(not use.turned)
    if use.node.op_type != "Where" or use.place != 0:
        return None
    low = [_is_low(subject.known, name) for name in use.node.inputs[1:3]]
    if low[0] == low[1]:
        return None
    return 1, int(low[1] != use.turned)


def _is_low(known: KnownTensors, name: str) -> bool:
    value = known.value(name)
    return value is not None and value.dtype.kind == "f" and float(value.max()) <= _LOWEST


def _length(subject: GeneratedInput) -> Maker | None:
    """Tells how long the sequences are, where the model asks for it."""
    if not subject.integral:
        return None
    for use in subject.uses:
        if use.node.op_type in _RECURRENT and use.place == 4:
            steps = subject.known.shape(use.node.inputs[0])
            return _filled(steps[0]) if steps else _filled(1)
    if not subject.named(_LENGTH):
        return None
    others = (info.static for name, info in subject.inputs.items() if name != subject.name)
    return _filled(next((shape[1] for shape in others if shape and len(shape) > 1), 1))


def _state(subject: GeneratedInput) -> Maker | None:
    """Zeros, with which every recurrence starts."""
    initial = any(use.node.op_type in _RECURRENT and use.place in {5, 6} for use in subject.uses)
    named = subject.named(_STATE) and not subject.named(_NO_STATE) and len(subject.shape) > 1
    return _filled(0) if initial or named else None


def _position(subject: GeneratedInput) -> Maker | None:
    return _counting(None) if subject.integral and subject.named(_POSITION) else None


def _image(subject: GeneratedInput) -> Maker | None:
    if len(subject.shape) != 4 or not (subject.dtype.kind == "float" or subject.dtype.name == "uint8"):
        return None
    axes = [axis for axis in (1, 3) if subject.declared[axis] in _PIXEL_CHANNELS]
    if not axes:
        return None
    white = 255 if subject.integral else 1
    return lambda rng, shape: smooth_image(rng, shape, axes[0] - 4) * white


def _sound(subject: GeneratedInput) -> Maker | None:
    if subject.dtype.kind != "float" or not 2 <= len(subject.shape) <= 3:
        return None
    inner = sorted(subject.shape[1:])
    alone = all(size <= 2 for size in inner[:-1])
    with_rate = any(_RATE.search(name.lower()) for name in subject.inputs)
    if subject.named(_SOUND) or (alone and (inner[-1] >= _LONG or with_rate)):
        return lambda rng, shape: 0.1 * rng.standard_normal(shape, np.float32)
    return None


def _count(subject: GeneratedInput) -> Maker | None:
    """Small whole numbers; 1 for a single one, which is often how many of something there should be."""
    if not subject.integral:
        return None
    most = min(8, 1 << (subject.dtype.bits - (subject.dtype.kind == "int")))
    return lambda rng, shape: rng.integers(0, most, shape) if shape else np.ones(shape)


def _normal(subject: GeneratedInput) -> Maker | None:
    del subject
    return lambda rng, shape: rng.standard_normal(shape, np.float32)


_RULES: tuple[Callable[[GeneratedInput], Maker | None], ...] = (
    _text,
    _index,
    _sample_rate,
    _mask,
    _length,
    _state,
    _position,
    _image,
    _sound,
    _count,
    _normal,
)


def _filled(value: object) -> Maker:
    return lambda _, shape: np.full(shape, value)


def _counting(rows: int | None) -> Maker:
    """0, 1, 2 … along the last axis, starting again where a table ends."""

    def count(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        del rng
        line = np.arange(shape[-1] if shape else 1)
        return np.broadcast_to(line % rows if rows else line, shape) if shape else line[0]

    return count
