"""Einsum: a movement, a layer or attention, by its letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nnea_graph.channels.rule_context.axis_labels import Letters, Product, carry_letters
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import channels
from nnea_graph.channels.rules.matmul import multiplied
from nnea_graph.ops.call import BadCallError, UnknownFactError

ELLIPSIS = "..."


@channels("Einsum")
def einsum(site: OpContext) -> None:
    """One operand is moved, two are multiplied."""
    operands, out = equation(_text(site), [len(site.dims(index)) for index in range(len(site.node.inputs))])
    if len(operands) == 1:
        carry_letters(site, 0, operands[0], out)
    elif len(operands) == 2:
        multiplied(site, Product(0, 1, operands[0], operands[1], out))
    else:
        raise UnknownFactError(f"Einsum of {len(operands)} operands")


def _text(site: OpContext) -> str:
    found = site.call.attr("equation", "")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def equation(text: str, ranks: Sequence[int]) -> tuple[list[Letters], Letters]:
    """The letters of each operand and of the output; those of an ellipsis are numbers counted from the right.

    >>> equation("...ij,jk->...ik", [3, 2])
    ([('1', 'i', 'j'), ('j', 'k')], ('1', 'i', 'k'))
    """
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise BadCallError(f"{len(terms)} operands in the equation, {len(ranks)} of the operator")
    hidden = max(
        (
            rank - len(term.replace(ELLIPSIS, ""))
            for term, rank in zip(terms, ranks, strict=True)
            if ELLIPSIS in term
        ),
        default=0,
    )
    operands = [_letters(term, rank) for term, rank in zip(terms, ranks, strict=True)]
    if arrow:
        return operands, _letters(
            right, len(right.replace(ELLIPSIS, "")) + (hidden if ELLIPSIS in right else 0)
        )
    once = Counter("".join(terms).replace(ELLIPSIS, ""))
    implied = [str(place) for place in range(hidden, 0, -1)]
    return operands, (*implied, *sorted(letter for letter, times in once.items() if times == 1))


def _letters(term: str, rank: int) -> Letters:
    before, dots, after = term.partition(ELLIPSIS)
    hidden = rank - len(before) - len(after)
    if hidden < 0 or (hidden and not dots):
        raise BadCallError(f"'{term:.40}' does not fit {rank} dimensions")
    return (*before, *(str(place) for place in range(hidden, 0, -1)), *after)
