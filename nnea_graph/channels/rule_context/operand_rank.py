"""Standing: how much a tensor is a value of its own, and how much a mere factor of others."""

from __future__ import annotations

from enum import IntEnum


class OperandRank(IntEnum):
    """Rank where several tensors meet in one operator, those of the highest standing are followed.

    A ``STATISTIC`` (mean, variance, norm) is never followed beside the tensor that it is of. A ``GATE``
    (sigmoid, softmax, clip) and a ``BOUNDED`` factor (tanh, erf) scale what they meet. An ``ACTIVATION``
    (relu, gelu, swish) gives way to the plain ``VALUE`` that it multiplies (SwiGLU, GeGLU).
    """

    STATISTIC = 0
    GATE = 1
    BOUNDED = 2
    ACTIVATION = 3
    VALUE = 4
