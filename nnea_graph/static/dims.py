"""Symbolic dims of a model's inputs: what they are called, and which numbers they take."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from itertools import islice, product
from math import ceil, floor

from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph, TensorInfo

USUAL_SIZES = (16, 32, 64, 128, 224, 256, 320, 512, 640, 1024)
"""What a symbol may take when nobody sets it: the smallest that the model accepts."""

_MOST_COMBINATIONS = 300
_MOST_VISITS, _FEWEST_TRIES = 600_000, 3
"""Operators that may be visited in search of sizes (about seven seconds), and sizes that are tried anyway."""

LARGEST = 1 << 62
"""No dim is larger: ONNX stores 63 bits, and the formula is found at dims a little above the given ones."""

_NUMBERED = re.compile(r"unk__\d+|.*DynamicDimension\.\d+|dyn_?\d*|_d\d+|s\d+")
"""Names that exporters make up: on the first axis they mean the batch, elsewhere they say what is equal."""

_SYMBOL = re.compile(r"[A-Za-z_][\w.]*")

_NAMELESS = frozenset({"?", "None", "-1", ""})
_BATCH = re.compile(r"(n|b|bs|nb|.*batch.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dims:
    """The numbers of all symbols, which of them were assumed, and the inputs with and without symbols.

    ``overridden`` says that the user replaced a number of the model's own; ``note`` why no usual size
    was accepted, "" where all is well.
    """

    values: Mapping[str, int]
    assumed: tuple[str, ...]
    inputs: Mapping[str, TensorInfo]
    symbolic: Mapping[str, TensorInfo]
    overridden: bool = False
    note: str = ""


class DimsFit(IntEnum):
    """Measure of how well a model takes some dims: not at all, without some alternative branches, or wholly."""

    NOT = 0
    PARTLY = 1
    WHOLLY = 2


def symbolic_inputs(graph: ModelGraph) -> dict[str, TensorInfo]:
    """The inputs with a name for every dim that is not a number.

    Nameless first dims (of rank 2 and more) are one ``batch``, as every exporter that drops their
    names means it; other nameless dims are called ``input.axis``.
    """
    return {name: _named(name, graph.tensors.get(name, TensorInfo(None, None))) for name in graph.inputs}


def _named(name: str, info: TensorInfo) -> TensorInfo:
    if info.shape is None:
        return info
    rank = len(info.shape)

    def symbol(axis: int, dim: int | str | None) -> int | str:
        if isinstance(dim, int):
            return dim
        nameless = dim is None or dim in _NAMELESS
        if axis == 0 and rank > 1 and (nameless or _NUMBERED.fullmatch(str(dim))):
            return "batch"
        return f"{name}.{axis}" if nameless else str(dim)

    return TensorInfo(info.dtype, tuple(symbol(axis, dim) for axis, dim in enumerate(info.shape)))


def symbols_of(inputs: Mapping[str, TensorInfo]) -> list[str]:
    """Every symbol, in the order of the inputs."""
    dims = (dim for info in inputs.values() for dim in info.shape or ())
    return list(dict.fromkeys(dim for dim in dims if isinstance(dim, str)))


def inner_symbols(graph: ModelGraph, inputs: Collection[str]) -> list[str]:
    """Symbols that only appear inside, where the file declares shapes by them: sizes that the data decide."""
    dims = (dim for info in graph.tensors.values() for dim in info.shape or ())
    names = (dim for dim in dims if isinstance(dim, str) and _SYMBOL.fullmatch(dim))
    return [name for name in dict.fromkeys(names) if name not in inputs]


def is_batch(symbol: str) -> bool:
    """Tells whether a symbol counts samples."""
    return _BATCH.fullmatch(symbol) is not None


def resolve(
    graph: ModelGraph,
    dims: Mapping[str, int],
    input_shapes: Mapping[str, tuple[int, ...]],
    fit: Callable[[Dims], DimsFit],
) -> Dims:
    """Give every symbol a number: the user's, else 1 for a batch, else the smallest usual size accepted.

    Raises:
        UsageError: a dim or an input that the model does not have, or two numbers for one symbol.
    """
    symbolic = symbolic_inputs(graph)
    given = dict(dims)
    overridden = _bind_shapes(symbolic, input_shapes, given)
    symbols = symbols_of(symbolic)
    free = [symbol for symbol in _freed(symbolic, input_shapes) if symbol not in given]
    inner = inner_symbols(graph, symbols)
    _check_known(dims, [*symbols, *inner])
    batch = {symbol: 1 for symbol in free if is_batch(symbol)}
    others = [symbol for symbol in free if symbol not in batch]

    known = {symbol: number for symbol, number in given.items() if symbol in {*symbols, *inner}}
    partly = {name: _replaced(info, input_shapes.get(name)) for name, info in symbolic.items()}

    def at(numbers: Mapping[str, int], note: str = "") -> Dims:
        values = known | batch | dict(numbers)
        fixed = {name: bound(info, values) for name, info in partly.items()}
        return Dims(values, tuple(free), fixed, partly, overridden, note)

    if not others:
        return at({})
    partial: Dims | None = None
    tries = max(_FEWEST_TRIES, _MOST_VISITS // max(len(graph), 1))
    for numbers in islice(_candidates(others), tries):
        tried = at(numbers)
        found = fit(tried)
        if found is DimsFit.WHOLLY:
            return tried
        partial = partial or (tried if found is DimsFit.PARTLY else None)
    if partial:
        return partial
    note = f"no usual size of {', '.join(others)} fits the model; set --dim {others[0]}=N"
    return at(dict.fromkeys(others, USUAL_SIZES[0]), note)


def _candidates(symbols: list[str]) -> Iterator[dict[str, int]]:
    """All alike, then one of them 1 (a batch without a name) and the others alike, then any, up to a bound."""
    yield from (dict.fromkeys(symbols, size) for size in USUAL_SIZES)
    for size, single in product(USUAL_SIZES, symbols):
        yield dict.fromkeys(symbols, size) | {single: 1}
    for sizes in sorted(_mixtures(len(symbols)), key=lambda sizes: (sum(sizes), sizes)):
        if len(set(sizes)) > 1:
            yield dict(zip(symbols, sizes, strict=True))


def _mixtures(count: int) -> Iterator[tuple[int, ...]]:
    kinds = len(USUAL_SIZES)
    while kinds > 2 and kinds**count > _MOST_COMBINATIONS:
        kinds -= 1
    return product(USUAL_SIZES[:kinds], repeat=count) if kinds**count <= _MOST_COMBINATIONS else iter(())


def _freed(symbolic: Mapping[str, TensorInfo], input_shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    return symbols_of({name: info for name, info in symbolic.items() if name not in input_shapes})


def _bind_shapes(
    symbolic: Mapping[str, TensorInfo], shapes: Mapping[str, tuple[int, ...]], given: dict[str, int]
) -> bool:
    """Bind symbols to the shapes given for whole inputs; True where one replaces a fixed number."""
    overridden = False
    for name, shape in shapes.items():
        if name not in symbolic:
            raise UsageError(f"--input-shape: the model has no input '{name}'; it has {_listed(symbolic)}")
        declared = symbolic[name].shape
        if declared is None:
            continue
        if len(declared) != len(shape):
            raise UsageError(f"--input-shape: input '{name}' has {len(declared)} dims, not {len(shape)}")
        if not all(0 <= number <= LARGEST for number in shape):
            raise UsageError(f"--input-shape: a dim of input '{name}' is outside 0 … 2^62: {list(shape)}")
        for dim, number in zip(declared, shape, strict=True):
            overridden |= isinstance(dim, int) and dim != number
            if isinstance(dim, str) and given.setdefault(dim, number) != number:
                raise UsageError(f"dim '{dim}' is given as {given[dim]} and as {number} (input '{name}')")
    return overridden


def _replaced(info: TensorInfo, shape: tuple[int, ...] | None) -> TensorInfo:
    """Other numbers for the model's own; symbols stay, as they are bound to theirs."""
    if shape is None:
        return info
    if info.shape is None:
        return TensorInfo(info.dtype, shape)
    pairs = zip(info.shape, shape, strict=True)
    return TensorInfo(info.dtype, tuple(dim if isinstance(dim, str) else number for dim, number in pairs))


def _check_known(dims: Mapping[str, int], symbols: list[str]) -> None:
    for symbol, number in dims.items():
        if symbol not in symbols:
            known = ", ".join(symbols) or "none: every dim is a number"
            raise UsageError(f"--dim: the model has no symbolic dim '{symbol}'; it has {known}")
        if not 0 <= number <= LARGEST:
            raise UsageError(f"--dim: {symbol}={number} is outside 0 … 2^62")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names) or "no inputs"


def bound(info: TensorInfo, values: Mapping[str, int]) -> TensorInfo:
    """A declared type with its symbols and formulas replaced by numbers, where they can be."""
    if info.shape is None or info.static is not None:
        return info
    dims = (evaluate(dim, values) if isinstance(dim, str) else dim for dim in info.shape)
    return TensorInfo(info.dtype, tuple(dims))


def evaluate(formula: str, values: Mapping[str, int]) -> int | None:
    """The number of a dim such as ``floor(height/2) + 1``; None where it cannot be known.

    >>> evaluate("floor(height/2) + 1", {"height": 31})
    16
    """
    if formula in values:
        return values[formula]
    try:
        result = _compute(ast.parse(formula, mode="eval").body, values)
    except (SyntaxError, ValueError, KeyError, ZeroDivisionError, RecursionError, MemoryError):
        return None
    return int(result) if result.denominator == 1 and 0 <= result <= LARGEST else None


_ROUNDING: dict[str, Callable[[Fraction], int]] = {"floor": floor, "ceil": ceil, "ceiling": ceil}
_ARITHMETIC: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: lambda a, b: a % b,
}


def _compute(node: ast.expr, values: Mapping[str, int]) -> Fraction:
    """Arithmetic on symbols, nothing else: the text comes from an untrusted file."""
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.Name(id=name):
            return Fraction(values[name])
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_compute(inner, values)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            return _ARITHMETIC[type(operator)](_compute(left, values), _compute(right, values))
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _ROUNDING:
            return Fraction(_ROUNDING[name](_compute(inner, values)))
    raise ValueError("not arithmetic")


def rebound(dims: Dims, values: Mapping[str, int]) -> Dims:
    """The same model at other numbers for its symbols."""
    inputs = {name: bound(info, values) for name, info in dims.symbolic.items()}
    return Dims(values, dims.assumed, inputs, dims.symbolic, dims.overridden)


def dims_of(inputs: Mapping[str, TensorInfo], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The numbers that the shapes of samples give to the symbols of the inputs; the batch stays open."""
    found: dict[str, int] = {}
    for name, shape in shapes.items():
        symbols = inputs[name].shape if name in inputs else None
        for symbol, number in zip(symbols or (), shape, strict=False):
            if isinstance(symbol, str) and not is_batch(symbol):
                found.setdefault(symbol, number)
    return found
