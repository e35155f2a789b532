"""Counts as exact polynomials in the model's symbolic dims, found by counting at several dims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from math import comb

_FAR = (131, 29, 7)
"""Steps to where a degree is tried: odd, as what repeats does so with even periods; a model may end early."""

Point = tuple[int, ...]
Exponents = tuple[int, ...]

_HIGHEST = 3
"""Degree in one symbol above which a count is no polynomial of interest (attention is of degree 2)."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """``terms`` maps the exponents of the symbols to coefficients; zero coefficients are left out.

    ``steps`` are the multiples of each symbol at which it was found and holds.
    """

    symbols: tuple[str, ...]
    terms: Mapping[Exponents, Fraction]
    steps: tuple[int, ...]

    def __call__(self, values: Mapping[str, int]) -> Fraction:
        """The value at numbers for the symbols."""
        total = Fraction(0)
        for exponents, coefficient in self.terms.items():
            term = coefficient
            for symbol, exponent in zip(self.symbols, exponents, strict=True):
                term *= values[symbol] ** exponent
            total += term
        return total


Sample = Callable[[Point], Sequence[int | None]]
"""Several counts at one point; the first is the total, whose degrees hold for all of them."""


def fit(
    symbols: Sequence[str], base: Sequence[int], step_choices: Sequence[Sequence[int]], sample: Sample
) -> list[Polynomial | None]:
    """The polynomial that each count is at ``base`` and whole steps above it, None where it is not one.

    The degree in each symbol is found alone, at the first of its steps that shows one; then the whole
    grid is solved exactly, then checked at a point that took no part.

    >>> fit(["n"], [1], [[1]], lambda at: [3 * at[0] ** 2 + 5])[0].terms
    {(0,): Fraction(5, 1), (2,): Fraction(3, 1)}
    """
    known: dict[Point, Sequence[int | None]] = {}

    def sampled(point: Point) -> Sequence[int | None]:
        if point not in known:
            known[point] = sample(point)
        return known[point]

    found = [_degree(axis, base, choices, sampled) for axis, choices in enumerate(step_choices)]
    if any(pair is None for pair in found):
        return [None] * len(sampled(tuple(base)))
    steps, degrees = zip(*(pair for pair in found if pair is not None), strict=True) if found else ((), ())
    axes = [[b + s * n for n in range(d + 1)] for b, s, d in zip(base, steps, degrees, strict=True)]
    points = list(product(*axes))
    beyond = tuple(b + s * (d + 2) for b, s, d in zip(base, steps, degrees, strict=True))
    solved: dict[tuple[int | None, ...], Polynomial | None] = {}
    result = []
    for column, check in zip(
        zip(*(sampled(point) for point in points), strict=True), sampled(beyond), strict=True
    ):
        key = (*column, check)
        if key not in solved:
            solved[key] = _checked(tuple(symbols), tuple(steps), points, axes, column, beyond, check)
        result.append(solved[key])
    return result


def _checked(  # noqa: PLR0913, PLR0917 - one count at all its points
    symbols: tuple[str, ...],
    steps: tuple[int, ...],
    points: Sequence[Point],
    axes: Sequence[Sequence[int]],
    column: Sequence[int | None],
    beyond: Point,
    check: int | None,
) -> Polynomial | None:
    if check is None or any(value is None for value in column):
        return None
    values = {point: Fraction(value or 0) for point, value in zip(points, column, strict=True)}
    polynomial = Polynomial(symbols, _solve(values, axes), steps)
    return polynomial if polynomial(dict(zip(symbols, beyond, strict=True))) == check else None


def _degree(axis: int, base: Sequence[int], choices: Sequence[int], sample: Sample) -> tuple[int, int] | None:
    """Step and degree in one symbol, from finite differences that vanish; None where they never do."""
    for step in choices:
        samples: list[int] = []
        while len(samples) < _HIGHEST + 2:
            point = tuple(value + step * len(samples) * (at == axis) for at, value in enumerate(base))
            total = sample(point)[0]
            if total is None:
                break
            samples.append(total)
            degree = _vanishing(samples)
            if degree is not None and _holds_far_away(axis, base, step, samples, sample):
                return step, degree
    return None


def _holds_far_away(
    axis: int, base: Sequence[int], step: int, samples: Sequence[int], sample: Sample
) -> bool:
    """Tells whether the samples foretell the count many steps on, at the farthest place that the model accepts.

    Under a stride of 8 the count stays the same for a few dims, which is not to be taken for a constant.
    """
    for steps in _FAR:
        point = tuple(value + step * steps * (at == axis) for at, value in enumerate(base))
        total = sample(point)[0]
        if total is not None:
            return total == _foretold(samples, steps)
    return False


def _foretold(samples: Sequence[int], steps: int) -> int:
    """The next values of a series, by Newton's forward differences."""
    differences, total = list(samples), 0
    for order in range(len(samples)):
        total += comb(steps, order) * differences[0]
        differences = [b - a for a, b in pairwise(differences)]
    return total


def _vanishing(samples: Sequence[int]) -> int | None:
    """The degree that the samples show, with one sample to spare; None where they do not."""
    differences, degree = list(samples), -1
    while differences and any(differences):
        differences = [b - a for a, b in pairwise(differences)]
        degree += 1
    return max(degree, 0) if len(samples) >= max(degree, 0) + 2 else None


def _solve(values: Mapping[Point, Fraction], axes: Sequence[Sequence[int]]) -> dict[Exponents, Fraction]:
    """Coefficients of the tensor-product polynomial through all points: one axis after the other."""
    table = dict(values)
    for axis, nodes in enumerate(axes):
        lines: dict[Point, list[Fraction]] = {}
        for point in sorted(table):
            rest = (*point[:axis], 0, *point[axis + 1 :])
            lines.setdefault(rest, []).append(table[point])
        table = {
            (*rest[:axis], power, *rest[axis + 1 :]): coefficient
            for rest, line in lines.items()
            for power, coefficient in enumerate(_through(nodes, line))
        }
    return {exponents: value for exponents, value in sorted(table.items()) if value}


def _through(nodes: Sequence[int], line: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients, lowest power first, of the polynomial through (node, value): Newton's divided differences."""
    divided = list(line)
    for level in range(1, len(nodes)):
        for n in range(len(nodes) - 1, level - 1, -1):
            divided[n] = (divided[n] - divided[n - 1]) / (nodes[n] - nodes[n - level])
    coefficients = [Fraction(0)]
    for node, value in zip(reversed(nodes), reversed(divided), strict=True):
        shifted = [Fraction(0), *coefficients]
        for n, coefficient in enumerate(coefficients):
            shifted[n] -= node * coefficient
        shifted[0] += value
        coefficients = shifted
    return coefficients[: len(nodes)]
