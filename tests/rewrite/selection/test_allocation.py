"""How many groups each family gives up."""

from __future__ import annotations

from itertools import product

import pytest

from nnea_graph.rewrite.selection.allocation import PruningBudget, allocate
from nnea_graph.rewrite.selection.resource_model import Length, Resources, ResourceTerm
from nnea_graph.rewrite.selection.target_search import TargetSearch, lowest

WHOLE = {"a": 8, "b": 4}


def resources() -> Resources:
    """Weights a x b and, apart, 10 for each of a; MACs of b alone."""
    a, b = Length(0, {"a": 1}), Length(0, {"b": 1})
    return Resources(
        {"params": (ResourceTerm(32, (a, b)), ResourceTerm(80, (a,))), "macs": (ResourceTerm(100, (b,)),)},
        WHOLE,
    )


def rooms(step: int = 1) -> list[PruningBudget]:
    return [
        PruningBudget("a", 8, 1, step, lambda gone: 0.1 * gone**2),
        PruningBudget("b", 4, 1, step, lambda gone: 1.0 * gone**2),
    ]


def test_amounts_are_products_of_lengths() -> None:
    assert resources().at("params", {}) == 112
    assert resources().at("params", {"a": 4, "b": 2}) == 8 + 40
    assert resources().share("macs", {"b": 1}) == 0.25


def test_families_changed_one_by_one_are_counted_as_each_alone() -> None:
    found, kept = resources(), {"a": 6, "b": 3}
    for name in ("params", "macs"):
        shares = found.shares(name, kept, {"b": 2, "a": 5})
        assert shares.tolist() == [found.share(name, kept | {"b": 2}), found.share(name, kept | {"a": 5})]


def test_the_family_that_loses_least_for_what_it_saves_gives() -> None:
    found = allocate(rooms(), resources(), {"params": 0.7})
    assert found.kept == {"a": 5, "b": 4}
    assert found.met
    assert found.shares["params"] <= 0.7


def test_several_targets_are_met_together_and_nothing_goes_that_need_not() -> None:
    targets = {"params": 0.4, "macs": 0.5}
    found = allocate(rooms(), resources(), targets)
    assert found.met
    assert found.kept["b"] == 2
    for name, kept in found.kept.items():
        more = found.kept | {name: kept + 1}
        assert any(resources().share(each, more) > goal for each, goal in targets.items())


def test_it_is_as_good_as_the_best_of_all_counts() -> None:
    def lost(a: int, b: int) -> float:
        return 0.1 * (8 - a) ** 2 + 1.0 * (4 - b) ** 2

    goal = 0.5
    found = allocate(rooms(), resources(), {"params": goal}).kept
    fits = [
        lost(a, b)
        for a, b in product(range(1, 9), range(1, 5))
        if resources().share("params", {"a": a, "b": b}) <= goal
    ]
    assert lost(found["a"], found["b"]) == pytest.approx(min(fits))


def test_counts_are_multiples_of_the_step() -> None:
    found = allocate(rooms(step=2), resources(), {"params": 0.5})
    assert all(kept % 2 == 0 for kept in found.kept.values())


def test_out_of_reach_leaves_the_least_and_says_so() -> None:
    found = allocate(rooms(), resources(), {"macs": 0.1})
    assert not found.met
    assert found.kept["b"] == 1


def test_a_loss_goes_as_far_as_it_may() -> None:
    def loss(counts: dict[str, int]) -> float:
        return 0.01 * (12 - sum(counts.values()))

    found = TargetSearch(rooms(), resources(), {"loss": 0.05}, {"loss": loss}).counts()  # type: ignore[dict-item]
    assert sum(found.values()) == 7


def test_a_loss_stops_short_of_a_target_that_costs_more() -> None:
    def loss(counts: dict[str, int]) -> float:
        return 0.01 * (12 - sum(counts.values()))

    targets = {"params": 0.2, "loss": 0.02}
    found = TargetSearch(rooms(), resources(), targets, {"loss": loss}).counts()  # type: ignore[dict-item]
    assert sum(found.values()) == 10


def test_latency_is_searched_beyond_what_the_counted_targets_take() -> None:
    def latency(counts: dict[str, int]) -> float:
        return counts["b"] / 4

    targets = {"params": 0.9, "latency": 0.5}
    found = TargetSearch(rooms(), resources(), targets, {"latency": latency}).counts()  # type: ignore[dict-item]
    assert found["b"] == 2


@pytest.mark.parametrize(("least", "found"), [(0, 0), (4, 4), (9, 9), (12, 9)])
def test_bisection(least: int, found: int) -> None:
    assert lowest(0, 9, lambda number: number >= least) == found
