"""Names that nobody has yet."""

from __future__ import annotations


def free_name(wanted: str, taken: set[str]) -> str:
    """``wanted``, or with the first number that is not taken; it is from then on.

    >>> free_name("conv", {"conv", "conv_1"})
    'conv_2'
    """
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
