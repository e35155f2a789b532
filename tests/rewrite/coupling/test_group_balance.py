"""Sets of channels put together so that every group of a convolution loses as many."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.rewrite.coupling.group_balance import balanced


def sets(*rows: str) -> tuple[list[list[str]], list[str]]:
    """Rows as letters, one a set; an upper-case letter is a set that stays."""
    letters = "".join(rows)
    first = {letter: letters.index(letter) for letter in letters}
    labels = np.array([first[letter] for letter in letters])
    free = np.array([letter.islower() for letter in letters])
    joined, left = balanced(labels, free, np.arange(len(letters)).reshape(len(rows), -1))
    return [sorted(letters[name] for name in names) for names in joined], [letters[name] for name in left]


@pytest.mark.parametrize(
    ("rows", "joined", "left"),
    [
        pytest.param(("ab", "cd", "ef"), ["ace", "bdf"], "", id="one of each"),
        pytest.param(("aab", "bcd"), ["acd"], "", id="two singles for a pair"),
        pytest.param(("ab", "ab"), [], "", id="even sets stay as they are"),
        pytest.param(("aaabbb", "ccddee"), ["abcde"], "", id="two of three are three of two"),
        pytest.param(("aaxy", "bzwb", "ccXY"), ["abc"], "xzyw", id="what finds no partners is left"),
        pytest.param(("aaab", "cccc"), ["abc"], "", id="what remains is one, if even"),
        pytest.param(("abA", "cBC"), ["ac"], "b", id="sets that stay are nobody's partners"),
    ],
)
def test_sets_are_joined_so_that_rows_lose_alike(rows: tuple[str, ...], joined: list[str], left: str) -> None:
    found, rest = sets(*rows)
    assert sorted("".join(names) for names in found) == sorted(joined)
    assert sorted(rest) == sorted(left)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_joined_is_even_and_nothing_is_lost(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups, width = int(random.integers(2, 5)), int(random.integers(2, 9))
    rows = np.arange(groups * width).reshape(groups, width)
    labels = np.zeros(rows.size, np.int64)
    for slot in range(rows.size):
        labels[slot] = labels[random.integers(slot + 1)] if slot and random.random() < 0.3 else slot
    free = random.random(rows.size)[labels] > 0.1
    joined, left = balanced(labels, free, rows)
    uneven = {
        name
        for name in np.unique(labels[free]).tolist()
        if len({int((labels[row] == name).sum()) for row in rows}) > 1
    }
    assert sorted([name for names in joined for name in names] + left) == sorted(uneven)
    for names in joined:
        assert len({int(np.isin(labels[row], names).sum()) for row in rows}) == 1
