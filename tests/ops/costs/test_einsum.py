"""Einsum's work against brute force: the sums are carried out term by term and every operation is tallied."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnea_graph.ops.call import BadCallError
from nnea_graph.ops.cost_rules import OperatorCost
from nnea_graph.ops.costs.einsum import contraction

LABELS = "abcd"
Array = dict[tuple[int, ...], float]


class Tally:
    """A machine that contracts dense arrays by loops over all indices and counts what it does."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.macs = self.flops = self.other_flops = 0

    def indices(self, labels: str) -> list[tuple[int, ...]]:
        return list(product(*(range(self.sizes[label]) for label in labels)))

    def total(self, labels: str, values: Array, kept: str) -> tuple[str, Array]:
        rest = "".join(label for label in labels if label in kept)
        sums: Array = {}
        for index in self.indices(labels):
            place = tuple(index[labels.index(label)] for label in rest)
            self.other_flops += place in sums
            sums[place] = sums.get(place, 0.0) + values[index]
        return rest, sums

    def meet(self, left: tuple[str, Array], right: tuple[str, Array], kept: str) -> tuple[str, Array]:
        labels = "".join(dict.fromkeys(left[0] + right[0]))
        rest = "".join(label for label in labels if label in kept)
        sums: Array = {}
        for index in self.indices(labels):
            at = dict(zip(labels, index, strict=True))
            value = left[1][tuple(at[x] for x in left[0])] * right[1][tuple(at[x] for x in right[0])]
            place = tuple(at[label] for label in rest)
            self.multiply_add(first=place not in sums, matrix=rest != labels)
            sums[place] = sums.get(place, 0.0) + value
        return rest, sums

    def multiply_add(self, *, first: bool, matrix: bool) -> None:
        if not matrix:
            self.other_flops += 1
            return
        self.macs += 1
        self.flops += 1 if first else 2

    def run(self, terms: list[str], output: str, arrays: list[Array]) -> Array:
        done = (terms[0], arrays[0])
        for place in range(1, len(terms)):
            later = output + "".join(terms[place + 1 :])
            operand = (terms[place], arrays[place])
            ready = self.total(*done, kept=later + operand[0]), self.total(*operand, kept=later + done[0])
            done = self.meet(*ready, kept=later)
        rest, values = self.total(*done, kept=output)
        return {tuple(index[rest.index(label)] for label in output): value for index, value in values.items()}


terms = st.lists(st.permutations(LABELS).flatmap(lambda p: st.integers(0, 3).map(lambda n: "".join(p[:n]))),
                 min_size=1, max_size=3)  # fmt: skip


@given(terms, st.lists(st.integers(1, 3), min_size=4, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_counts_equal_those_of_loops(
    operands: list[str], dims: list[int], random: np.random.Generator
) -> None:
    sizes = dict(zip(LABELS, dims, strict=True))
    used = sorted(set("".join(operands)))
    output = "".join(label for label in used if random.random() < 0.5)
    equation = ",".join(operands) + "->" + output
    shapes = [tuple(sizes[label] for label in term) for term in operands]
    tally = Tally(sizes)
    arrays = [np.arange(1.0, prod(shape) + 1).reshape(shape) for shape in shapes]
    result = tally.run(operands, output, [dict(np.ndenumerate(array)) for array in arrays])
    expected = np.einsum(equation, *arrays)
    assert all(np.isclose(expected[place], value) for place, value in result.items())
    counted = contraction(equation, shapes)
    assert (counted.macs, counted.flops, counted.other_flops) == (tally.macs, tally.flops, tally.other_flops)


@pytest.mark.parametrize(
    ("equation", "shapes", "macs", "flops", "other_flops"),
    [
        pytest.param("ij,jk", [(2, 3), (3, 4)], 24, 40, 0, id="implied output"),
        pytest.param("...ij,...jk->...ik", [(5, 2, 3), (3, 4)], 120, 200, 0, id="ellipsis that broadcasts"),
        pytest.param("...i,...i", [(5, 2, 3), (5, 1, 3)], 30, 50, 0, id="implied output of an ellipsis"),
        pytest.param("ii->i", [(4, 4)], 0, 0, 0, id="diagonal"),
        pytest.param("ii", [(4, 4)], 0, 0, 3, id="trace: the diagonal, then three adds"),
        pytest.param("i,j->ij", [(4,), (5,)], 0, 0, 20, id="outer product"),
        pytest.param("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)], 24 + 40, 40 + 70, 0, id="three from the left"),
        pytest.param("ij,jkl->ik", [(2, 3), (3, 4, 5)], 24, 40, 48, id="a lone label is summed first"),
        pytest.param(" i j , j k -> i k ", [(2, 3), (3, 4)], 24, 40, 0, id="spaces"),
        pytest.param("ij,ij->", [(2, 3), (2, 3)], 6, 11, 0, id="inner product"),
    ],
)
def test_worked_by_hand(
    equation: str, shapes: list[tuple[int, ...]], macs: int, flops: int, other_flops: int
) -> None:
    counted = contraction(equation, shapes)
    assert (counted.macs, counted.flops, counted.other_flops) == (macs, flops, other_flops)


def test_a_transpose_is_free() -> None:
    assert contraction("ij->ji", [(2, 3)]) == OperatorCost(free="moves elements")


@pytest.mark.parametrize(
    ("equation", "shapes", "said"),
    [
        pytest.param("ij,jk->ik", [(2, 3)], "differ in number", id="operands"),
        pytest.param("ij->ij", [(2, 3, 4)], "does not fit the shape", id="rank"),
        pytest.param("ij,jk->ik", [(2, 3), (4, 5)], "label j is 3 and 4", id="dims"),
        pytest.param("ii->i", [(2, 3)], "label i twice", id="diagonal of a rectangle"),
        pytest.param("ij->iz", [(2, 3)], "label z is in no operand", id="unknown label"),
        pytest.param("i1->i", [(2, 3)], "not made of letters", id="digits"),
        pytest.param("", [(2, 3)], "does not fit the shape", id="no equation"),
    ],
)
def test_refused(equation: str, shapes: list[tuple[int, ...]], said: str) -> None:
    with pytest.raises(BadCallError, match=said):
        contraction(equation, shapes)
