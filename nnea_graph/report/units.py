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
