"""Einsum of any equation and number of operands.

Operands are contracted pairwise from the left. A label that only one of the two has and nobody needs later
is summed before they meet. A pair that shares a summed label is matrix work: one dot product for each
combination of the labels that stay. A pair that does not is multiplied element by element. Diagonals and
transposes are free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from math import prod

from nnea_graph.ops.attribute_checks import need, same, word
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, work

Sizes = dict[str, int]
"""Size of each label of an operand; a label may be 1 here and wider in another operand."""

ELLIPSIS = "..."


@work("Einsum")
def einsum(call: OpCall) -> OperatorCost:
    """See the module."""
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    return contraction(word(call, "equation", ""), shapes)


def contraction(equation: str, shapes: list[tuple[int, ...]]) -> OperatorCost:
    """Work of an equation on operands of these shapes."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    same(len(terms), len(shapes), "operands of the equation and of the operator differ in number")
    operands = [_labeled(term, shape) for term, shape in zip(terms, shapes, strict=True)]
    _consistent(operands)
    kept = _named(right, _ellipsis_of(operands)) if arrow else _implied(terms, operands)
    for label in kept:
        need(any(label in operand for operand in operands), f"the output's label {label} is in no operand")
    return _pairwise(operands, kept)


def _labeled(term: str, shape: tuple[int, ...]) -> Sizes:
    """Labels of an operand; those of an ellipsis count from the right, so that they broadcast."""
    named = len(term.replace(ELLIPSIS, ""))
    hidden = len(shape) - named
    need(
        hidden >= 0 and (hidden == 0 or ELLIPSIS in term),
        f"'{term:.40}' does not fit the shape {list(shape)}",
    )
    sizes: Sizes = {}
    for label, dim in zip(_named(term, [str(hidden - place) for place in range(hidden)]), shape, strict=True):
        same(sizes.setdefault(label, dim), dim, f"label {label} twice in one operand")
    return sizes


def _named(term: str, hidden: list[str]) -> list[str]:
    """The labels of a term one by one; the ellipsis stands for the hidden ones."""
    before, dots, after = term.partition(ELLIPSIS)
    need((before + after).isalpha() or not before + after, f"'{term:.40}' is not made of letters")
    return [*before, *(hidden if dots else ()), *after]


def _ellipsis_of(operands: list[Sizes]) -> list[str]:
    hidden = {label for operand in operands for label in operand if not label.isalpha()}
    return sorted(hidden, key=int, reverse=True)


def _implied(terms: list[str], operands: list[Sizes]) -> list[str]:
    """Output labels without an arrow the output has the ellipsis and every label that is written once."""
    written = Counter(label for term in terms for label in term.replace(ELLIPSIS, ""))
    return _ellipsis_of(operands) + sorted(label for label, times in written.items() if times == 1)


def _consistent(operands: list[Sizes]) -> None:
    seen: Sizes = {}
    for operand in operands:
        for label, dim in operand.items():
            if 1 not in {dim, seen.get(label, 1)} and dim != seen[label]:
                raise BadCallError(f"label {label} is {seen[label]} and {dim}")
            seen[label] = dim if seen.get(label, 1) == 1 else seen[label]


def _pairwise(operands: list[Sizes], kept: Collection[str]) -> OperatorCost:
    """Contract from the left, summing every label after the last operand that has it."""
    done, total = operands[0], OperatorCost()
    for place, operand in enumerate(operands[1:], 1):
        needed = {*kept, *(label for later in operands[place + 1 :] for label in later)}
        done, step = _pair(done, operand, needed)
        total += step
    _, rest = _summed(done, kept)
    total += rest
    return total if total != OperatorCost() else OperatorCost(free="moves elements")


def _pair(left: Sizes, right: Sizes, needed: Collection[str]) -> tuple[Sizes, OperatorCost]:
    # A dim of 1 against a wider one has nothing to contract with: the wider side is summed by itself.
    alone = {label for label in {*left, *right} - {*needed} if left.get(label, 1) != right.get(label, 1)}
    alone |= {label for label in {*left} ^ {*right} if label not in needed}
    left, first = _summed(left, {*left} - alone)
    right, second = _summed(right, {*right} - alone)
    wide = {label: _wider(left, right, label) for label in (*left, *right)}
    stay = {label: dim for label, dim in wide.items() if label in needed}
    shared = [dim for label, dim in wide.items() if label not in needed]
    outputs = prod(stay.values())
    met = dot_products(outputs, prod(shared)) if shared else OperatorCost(other_flops=outputs)
    return stay, first + second + met


def _wider(left: Mapping[str, int], right: Mapping[str, int], label: str) -> int:
    one, other = left.get(label, 1), right.get(label, 1)
    return other if one == 1 else one


def _summed(operand: Sizes, kept: Collection[str]) -> tuple[Sizes, OperatorCost]:
    """Sum the labels that are not kept: an add for every element but the first of each sum."""
    rest = {label: dim for label, dim in operand.items() if label in kept}
    adds = prod(operand.values()) - prod(rest.values())
    return rest, OperatorCost(other_flops=max(adds, 0))
