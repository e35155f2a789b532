"""Arithmetic, comparison, logic and bits, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.value_guards import Array, broadcast, narrowed, scalar, text, value

Unary = Callable[[Any], Any]
Binary = Callable[[Any, Any], Any]


def _reciprocal(x: Array) -> Array:
    return np.asarray(np.divide(x.dtype.type(1), x))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), x.dtype)


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0, x.astype(np.float64)), x.dtype)


def _relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, x.dtype.type(0)))


UNARY: dict[str, Unary] = {
    "Abs": np.abs,
    "Neg": np.negative,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": _reciprocal,
    "Relu": _relu,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "Tanh": np.tanh,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "Asin": np.arcsin,
    "Acos": np.arccos,
    "Atan": np.arctan,
    "Sinh": np.sinh,
    "Cosh": np.cosh,
    "Asinh": np.arcsinh,
    "Acosh": np.arccosh,
    "Atanh": np.arctanh,
}

TESTS: dict[str, Unary] = {"IsNaN": np.isnan, "Not": np.logical_not, "BitwiseNot": np.bitwise_not}


def _divide(a: Array, b: Array) -> Array:
    """Integers truncate toward zero, as in C."""
    if a.dtype.kind not in "iu":
        return np.asarray(np.divide(a, b))
    _no_zero(b)
    quotient = np.floor_divide(a, b)
    inexact = np.mod(a, b) != 0
    return np.asarray(quotient + (inexact & ((a < 0) != (b < 0))))


def _no_zero(divisor: Array) -> None:
    if not divisor.all():
        raise UnknownFactError("a constant integer is divided by zero")


def _power(base: Array, exponent: Array) -> Array:
    """The result has the type of the base."""
    if base.dtype.kind in "iu" and ((base == 0) & (exponent < 0)).any():
        raise UnknownFactError("a constant integer 0 is raised to a negative power")
    if base.dtype.kind in "iu" and (exponent.dtype.kind == "f" or (exponent < 0).any()):
        return np.asarray(np.power(base.astype(np.float64), exponent), base.dtype)
    if base.dtype.kind in "iu":
        return np.asarray(np.power(base, exponent.astype(base.dtype)))
    return np.asarray(np.power(base, exponent), base.dtype)


ARITHMETIC: dict[str, Binary] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": _power,
}

RELATIONS: dict[str, Binary] = {
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
}


def _declare_unary(op_type: str, function: Unary) -> None:
    @value(op_type)
    def rule(call: OpCall) -> list[Array]:
        return [narrowed(np.asarray(function(call.value(0))), call.dtype(0))]


def _declare_binary(op_type: str, function: Binary) -> None:
    @value(op_type)
    def rule(call: OpCall) -> list[Array]:
        return [np.asarray(function(*operands(call)))]


def _declare_arithmetic(op_type: str, function: Binary) -> None:
    @value(op_type)
    def rule(call: OpCall) -> list[Array]:
        return [narrowed(np.asarray(function(*operands(call))), call.dtype(0))]


for _name, _unary in (UNARY | TESTS).items():
    _declare_unary(_name, _unary)
for _name, _binary in ARITHMETIC.items():
    _declare_arithmetic(_name, _binary)
for _name, _binary in RELATIONS.items():
    _declare_binary(_name, _binary)


def operands(call: OpCall) -> tuple[Array, Array]:
    """Both inputs, the second lined up as opsets below 7 say it with ``broadcast`` and ``axis``."""
    a, b = call.value(0), call.value(1)
    axis = call.attr("axis")
    if call.attr("broadcast") and axis is not None:
        trailing = a.ndim - int(axis) % max(a.ndim, 1) - b.ndim
        b = b.reshape(b.shape + (1,) * max(trailing, 0))
    broadcast(call, a, b)
    return a, b


@value("Mod")
def modulo(call: OpCall) -> list[Array]:
    """The remainder has the sign of the divisor, with ``fmod`` that of the dividend."""
    a, b = operands(call)
    if a.dtype.kind in "iu":
        _no_zero(b)
    function = np.fmod if call.attr("fmod", 0) else np.mod
    return [narrowed(function(a, b), call.dtype(0))]


@value("BitShift")
def bit_shift(call: OpCall) -> list[Array]:
    """Shift unsigned integers."""
    function = np.left_shift if text(call, "direction", "") == "LEFT" else np.right_shift
    return [function(*operands(call))]


@value("IsInf")
def is_inf(call: OpCall) -> list[Array]:
    """Determines which elements are infinite, of the signs asked for."""
    x = call.value(0)
    positive = np.isposinf(x) & bool(call.attr("detect_positive", 1))
    negative = np.isneginf(x) & bool(call.attr("detect_negative", 1))
    return [positive | negative]


def _variadic(call: OpCall, function: Binary) -> Array:
    arrays = [call.value(index) for index in range(len(call.inputs))]
    if not arrays:
        raise BadCallError(f"{call.op_type} has no inputs")
    broadcast(call, *arrays)
    return np.asarray(reduce(function, arrays))


@value("Sum")
def total(call: OpCall) -> list[Array]:
    """Sum of all inputs."""
    return [narrowed(_variadic(call, np.add), call.dtype(0))]


@value("Mean")
def mean(call: OpCall) -> list[Array]:
    """Mean of all inputs."""
    added = _variadic(call, np.add)
    return [narrowed(np.asarray(added / len(call.inputs), added.dtype), call.dtype(0))]


@value("Max")
def maximum(call: OpCall) -> list[Array]:
    """Largest of all inputs."""
    return [_variadic(call, np.maximum)]


@value("Min")
def minimum(call: OpCall) -> list[Array]:
    """Smallest of all inputs."""
    return [_variadic(call, np.minimum)]


@value("Clip")
def clip(call: OpCall) -> list[Array]:
    """Cut to a range, given by attributes below opset 11; where min is over max, max wins."""
    x = call.value(0)
    low = scalar(call, 1) if call.has(1) else call.attr("min")
    high = scalar(call, 2) if call.has(2) else call.attr("max")
    raised = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return [raised if high is None else np.minimum(raised, np.asarray(high, x.dtype))]


@value("Where")
def where(call: OpCall) -> list[Array]:
    """Choose by a condition."""
    condition, x, y = (call.value(index) for index in range(3))
    broadcast(call, condition, x, y)
    return [np.where(condition, x, y)]
