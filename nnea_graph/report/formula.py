"""Polynomials as text."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from nnea_graph.report.units import si
from nnea_graph.static.polynomial_fit import Exponents, Polynomial


def exact(polynomial: Polynomial) -> str:
    """Every coefficient to the last digit: ``4089184256*batch``, ``17/32*batch*height``."""
    terms = []
    for exponents, coefficient in _largest_first(polynomial):
        symbols = _product(polynomial.symbols, exponents, "*", "")
        terms.append("*".join(filter(None, (str(coefficient), symbols))))
    return " + ".join(terms) or "0"


def short(polynomial: Polynomial) -> str:
    """Three digits a coefficient: ``4.09 G · batch``."""
    terms = []
    for exponents, coefficient in _largest_first(polynomial):
        symbols = _product(polynomial.symbols, exponents, " · ", "²³")
        terms.append(" · ".join(filter(None, (si(float(coefficient)), symbols))))
    return " + ".join(terms) or "0"


def note(polynomial: Polynomial | None, values: Mapping[str, int], why_not: str) -> str:
    """Validity of a formula, or why there is none."""
    if polynomial is None:
        return why_not
    places = []
    for symbol, step in zip(polynomial.symbols, polynomial.steps, strict=True):
        start = values[symbol]
        if step > 1:
            every = f"multiples of {step}" if start % step == 0 else f"{start} and steps of {step} from it"
            places.append(f"{symbol} at {every}")
    return "exact for " + ", ".join(places) if places else "exact"


def _largest_first(polynomial: Polynomial) -> list[tuple[Exponents, Fraction]]:
    return sorted(polynomial.terms.items(), key=lambda item: (-sum(item[0]), [-power for power in item[0]]))


def _product(symbols: tuple[str, ...], exponents: Exponents, sign: str, powers: str) -> str:
    parts = []
    for symbol, exponent in zip(symbols, exponents, strict=True):
        if exponent == 1:
            parts.append(symbol)
        elif exponent > 1:
            parts.append(symbol + (powers[exponent - 2] if powers else f"^{exponent}"))
    return sign.join(parts)
