"""Numbers with units, as people read them."""

from __future__ import annotations

from decimal import Decimal

_SI = ("", " K", " M", " G", " T", " P", " E")
_BINARY = (" B", " KiB", " MiB", " GiB", " TiB", " PiB")


def si(number: float) -> str:
    """Three significant digits and K, M, G, T.

    >>> si(4089184256), si(266200), si(12), si(10**400)
    ('4.09 G', '266 K', '12', '1.00e+400')
    """
    return _scaled(number, 1000, _SI)


def binary(number: float) -> str:
    """Bytes in powers of 1024.

    >>> binary(102496823), binary(512)
    ('97.7 MiB', '512 B')
    """
    return _scaled(number, 1024, _BINARY)


def _scaled(number: float, base: int, units: tuple[str, ...]) -> str:
    if number >= 1000 * base ** (len(units) - 1):
        return f"{Decimal(number):.2e}{units[0]}"  # a loop's trips may multiply past every float
    place = 0
    while abs(number) >= 999.5 and place + 1 < len(units):
        number, place = number / base, place + 1
    if place == 0 and number == int(number):
        return f"{int(number)}{units[0]}"
    digits = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    return f"{number:.{digits}f}{units[place]}"


def percent(share: float) -> str:
    """A share as per cent with three digits.

    >>> percent(0.8374), percent(0.00052)
    ('83.7 %', '0.05 %')
    """
    return f"{100 * share:.1f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2f} %"


def small_percent(share: float) -> str:
    """A share as per cent with two digits, however small.

    >>> small_percent(0.03), small_percent(0.000096), small_percent(7.9e-19)
    ('3.0 %', '0.0096 %', '7.9e-17 %')
    """
    if share >= 0.1 or share == 0:
        return f"{100 * share:.3g} %"
    if share >= 1e-5:
        return f"{100 * share:#.2g} %"
    return f"{power(100 * share)} %"


def power(number: float) -> str:
    """Two digits and a power of ten.

    >>> power(6.753e72), power(7.9e-9)
    ('6.8e72', '7.9e-9')
    """
    digits, _, exponent = f"{number:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def amount(number: float) -> str:
    """Same as ``si``, as a power of ten from 1e15 on.

    >>> amount(4.69e6), amount(6.753e72)
    ('4.69 M', '6.8e72')
    """
    return si(number) if number < 1e15 else power(number)
