"""Reductions added to a model, so that of each observed tensor only a few numbers a channel leave it.

What costs least was measured with onnxruntime 1.32 on AVX2, ratios to the plain run of a MobileNetV3:
GlobalAveragePool 1.1 where nothing is negative, as it reads the blocked layout (NCHWc) of convolutions as it is;
Abs before it 1.5 where something is (ReduceL1 1.9, GlobalLpPool 12, ReduceMean 1.5, Relu twice in blocked layout
1.5). For squares Mul and GlobalAveragePool add 0.5 (ReduceSumSquare 0.8, a MatMul with itself 2), for the largest
ReduceMax 0.1 (GlobalMaxPool 0.5), for zeros two Casts and GlobalAveragePool 0.4 (Sign 4, Equal 3, HardSigmoid 0.5,
QuantizeLinear and MatMulInteger 1.3).
Each sample is reduced by itself: float32 sums stay short, and the sizes of batches make no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from onnx import TensorProto

from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.export.node_emitter import Emitter
from nnea_graph.runtime.observe.observations import Kind, Observation

_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16"})
_OBSERVABLE = _INTEGERS | {"float32", "float64", "float16", "bfloat16"}

_POOLED_POSITIONS = 1 << 14
"""Positions of a map above which GlobalAveragePool is not used: it adds them one by one, and of equal numbers each
addition is rounded the same way, so that it is off by 4e-5 for 112 x 112, 6e-5 here, and 2e-4 for 224 x 224."""

Reduce = Callable[[str, str, str], str]
"""(body, ``sum`` or ``max``, tensor) to the reduced tensor."""


@dataclass(frozen=True, slots=True)
class ObservedTensor:
    """A tensor to observe: the body it lies in, its type, scale and zero point of its integers."""

    observation: Observation
    path: str
    info: TensorInfo
    nonnegative: bool = False
    quantization: tuple[str, str] | None = None

    @property
    def rank(self) -> int | None:
        """Number of dims, None where unknown."""
        return None if self.info.shape is None else len(self.info.shape)

    @property
    def flat(self) -> bool:
        """Tells whether it is reduced without believing in a rank.

        In bodies too: a branch that never runs may be declared otherwise than it is inferred at these sizes,
        and onnxruntime refuses a model that is wrong there.
        """
        return bool(self.path) or self.info.shape is None

    @property
    def axis(self) -> int | None:
        """The channel axis, counted from the front where the rank is known."""
        axis, rank = self.observation.axis, self.rank
        return axis + rank if axis is not None and axis < 0 and rank is not None else axis

    @property
    def channels(self) -> int | None:
        """Number of channels, None where unknown."""
        if self.axis is None:
            return 1
        dim = self.info.shape[self.axis] if self.info.shape is not None else None
        return dim if isinstance(dim, int) else None

    @property
    def per_sample(self) -> bool:
        """Tells whether the reduced tensors keep the first axis apart."""
        if self.rank is None or self.flat:
            return False
        return self.rank >= 2 if self.axis is None else self.rank >= 3 and self.axis != 0

    @property
    def pooled(self) -> bool:
        """Tells whether GlobalAveragePool reduces it: it fails on maps without positions, is inexact on huge ones."""
        static = self.info.static
        if self.path or self.axis != 1 or static is None or len(static) < 3:
            return False
        return 0 < prod(static[2:]) <= _POOLED_POSITIONS


def refusal(subject: ObservedTensor) -> str:
    """Reason why a tensor cannot be observed; "" if it can."""
    observation, dtype, rank = subject.observation, subject.info.dtype, subject.rank
    if dtype is None:
        return "the type is not known"
    if observation.kind is Kind.ROWS:
        return _rows_refusal(subject, dtype.name)
    if dtype.name not in _OBSERVABLE:
        return f"the type is {dtype}; floats and 8- and 16-bit integers can be observed"
    if rank is not None and observation.axis is not None and not -rank <= observation.axis < rank:
        return f"there is no axis {observation.axis} in {rank} dims"
    return ""


def _rows_refusal(subject: ObservedTensor, dtype: str) -> str:
    if dtype not in {"int32", "int64"}:
        return f"the type is {dtype}; indices are int32 or int64"
    return "indices are not carried out of a body" if subject.path else ""


def add_reductions(emitter: Emitter, subject: ObservedTensor) -> dict[str, str]:
    """Names of the reduced tensors by what they are: ``abs``, and for ``Kind.ALL`` ``max sq nonzero sum``.

    Each has the shape [channels] or [], behind [samples] if that axis is kept apart (``per_sample``);
    GlobalAveragePool adds ones.
    ``sum`` is left out where it is ``abs``. All but ``max`` are means over positions if the subject is ``pooled``,
    else sums.
    """
    path = subject.path
    numbers = _as_numbers(emitter, subject)
    over = _reduction(emitter, subject)
    total = _pooling(emitter) if subject.pooled else over
    absolute = numbers if subject.nonnegative else emitter.op(path, "Abs", [numbers])
    found = {"abs": total(path, "ReduceSum", absolute)}
    if subject.observation.kind is Kind.MEAN:
        return found
    found["max"] = over(path, "ReduceMax", absolute)
    # From the numbers, not from |x|, so that the memory of that is free by now.
    found["sq"] = total(path, "ReduceSum", emitter.op(path, "Mul", [numbers, numbers]))
    truth = emitter.op(path, "Cast", [numbers], to=TensorProto.BOOL)
    found["nonzero"] = total(path, "ReduceSum", emitter.op(path, "Cast", [truth], to=_width(subject)))
    if not subject.nonnegative:
        found["sum"] = total(path, "ReduceSum", numbers)
    return found


def _width(subject: ObservedTensor) -> int:
    """Width in bodies float64: sums over all trips are made there, and what lies in bodies is small."""
    return TensorProto.DOUBLE if subject.path else TensorProto.FLOAT


def _as_numbers(emitter: Emitter, subject: ObservedTensor) -> str:
    """The tensor as floats; not by DequantizeLinear, which would break up onnxruntime's fusions."""
    path, tensor, width = subject.path, subject.observation.tensor, _width(subject)
    if not path and subject.info.dtype is not None and subject.info.dtype.name == "float32":
        return tensor
    numbers = emitter.op(path, "Cast", [tensor], to=width)
    if subject.quantization is None:
        return numbers
    scale, zero = subject.quantization
    if zero:
        numbers = emitter.op(path, "Sub", [numbers, emitter.op(path, "Cast", [zero], to=width)])
    return emitter.op(path, "Mul", [numbers, emitter.op(path, "Cast", [scale], to=width)])


def _pooling(emitter: Emitter) -> Reduce:
    return lambda path, _, tensor: emitter.op(path, "GlobalAveragePool", [tensor])


def _reduction(emitter: Emitter, subject: ObservedTensor) -> Reduce:
    """Reduces over all axes but the channels', and the first where that is kept apart."""
    rank, axis = subject.rank, subject.axis
    if rank is None or subject.flat:
        return _flat_reduction(emitter, subject.observation.axis)
    kept = {0, axis} if subject.per_sample else {axis}
    axes = [place for place in range(rank) if place not in kept]

    def reduce(path: str, op_type: str, tensor: str) -> str:
        # Sums axis by axis: sums of short sums lose less than one long sum.
        steps = [[axis] for axis in reversed(axes)] if op_type == "ReduceSum" else [axes]
        for step in steps:
            tensor = emitter.reduce(path, op_type, tensor, step)
        return tensor

    return reduce


def _flat_reduction(emitter: Emitter, axis: int | None) -> Reduce:
    """Reduces the tensor as [before, channels, after], or [all]."""

    def reduce(path: str, op_type: str, tensor: str) -> str:
        if axis is None:
            flat = emitter.op(path, "Reshape", [tensor, emitter.constant(np.array([-1], np.int64))])
            return emitter.reduce(path, op_type, flat, [0])
        shape = _three_dims(emitter, path, tensor, axis)
        return emitter.reduce(path, op_type, emitter.op(path, "Reshape", [tensor, shape]), [0, 2])

    return reduce


def _three_dims(emitter: Emitter, path: str, tensor: str, axis: int) -> str:
    """The shape [product of the dims before the axis, channels, -1], computed by the model."""
    shape = emitter.op(path, "Shape", [tensor])
    index, start, one, rest = (emitter.constant(np.array([number], np.int64)) for number in (axis, 0, 1, -1))
    before = emitter.op(path, "Slice", [shape, start, index])
    # A product of no dims is not defined everywhere.
    factors = emitter.op(path, "Concat", [one, before], axis=0)
    whole = emitter.op(path, "ReduceProd", [factors], keepdims=1)
    channels = emitter.op(path, "Gather", [shape, index], axis=0)
    return emitter.op(path, "Concat", [whole, channels, rest], axis=0)
