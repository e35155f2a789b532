"""The pass manager: order, contracts, and passes of other people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hostile.support.models import model, op

from nnea_graph.api.analyze import load
from nnea_graph.engine import Pass, RunContext, run_passes
from nnea_graph.engine.manager import ordered_passes
from nnea_graph.errors import ModelError, PassError
from nnea_graph.graph import Key, ModelGraph

A, B, C = Key[int]("a"), Key[int]("b"), Key[int]("c")


def made(
    label: str,
    requires: tuple[Key[Any], ...] = (),
    provides: tuple[Key[Any], ...] = (),
    act: Callable[[ModelGraph], None] | None = None,
    uses: tuple[Key[Any], ...] = (),
) -> Pass:
    """A pass that writes 1 for whatever it provides, unless ``act`` says otherwise."""
    needs, likes, gives = requires, uses, provides

    @dataclass(frozen=True)
    class Made(Pass):
        name: ClassVar[str] = label
        requires: ClassVar[tuple[Key[Any], ...]] = needs
        uses: ClassVar[tuple[Key[Any], ...]] = likes
        provides: ClassVar[tuple[Key[Any], ...]] = gives

        def run(self, graph: ModelGraph, _context: RunContext) -> None:
            if act:
                act(graph)
            else:
                for key in self.provides:
                    graph[key] = 1

    return Made()


@pytest.fixture
def graph() -> ModelGraph:
    return load(model([op("Relu", ["x"], ["y"], name="relu")]))


def fail(_: ModelGraph) -> None:
    raise ValueError("no such luck")


def test_passes_run_after_what_they_need_whatever_the_order_given() -> None:
    last, middle, first = made("last", (B,), (C,)), made("middle", (A,), (B,)), made("first", (), (A,))
    assert [each.name for each in ordered_passes([last, middle, first])] == ["first", "middle", "last"]


def test_a_pass_runs_after_what_it_uses_and_without_it() -> None:
    user, giver = made("user", provides=(B,), uses=(A,)), made("giver", (), (A,))
    assert [each.name for each in ordered_passes([user, giver])] == ["giver", "user"]
    assert [each.name for each in ordered_passes([user])] == ["user"]


def test_a_missing_provider_is_named() -> None:
    with pytest.raises(PassError, match="pass 'alone' requires 'a', which no pass provides"):
        ordered_passes([made("alone", (A,))])


def test_two_providers_of_one_fact_are_named() -> None:
    with pytest.raises(PassError, match="passes 'one' and 'two' both provide 'a'"):
        ordered_passes([made("one", (), (A,)), made("two", (), (A,))])


def test_passes_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(PassError, match="passes wait for each other: "):
        ordered_passes([made("one", (B,), (A,)), made("two", (A,), (B,))])


def test_a_failed_pass_is_told_what_needs_it_is_skipped_and_the_rest_goes_on(graph: ModelGraph) -> None:
    passes = [
        made("bad", (), (A,), fail),
        made("needy", (A,), (B,)),
        made("needier", (B,)),
        made("free", (), (C,)),
    ]
    results = {each.name: each for each in run_passes(graph, passes)}
    assert results["bad"].status == "failed"
    assert results["bad"].reason == "ValueError: no such luck"
    assert results["needy"].status == "skipped"
    assert results["needy"].reason == "pass 'bad' did not give 'a'"
    assert results["needier"].status == "skipped"
    assert results["free"].status == "ok"
    assert graph[C] == 1


@pytest.mark.parametrize(
    "error", [RecursionError("deep"), MemoryError(), ZeroDivisionError("x"), AssertionError()]
)
def test_any_crash_of_a_pass_is_its_own(graph: ModelGraph, error: Exception) -> None:
    def crash(_: ModelGraph) -> None:
        raise error

    (result,) = run_passes(graph, [made("bad", act=crash)])
    assert result.status == "failed"
    assert type(error).__name__ in result.reason


def test_what_is_wrong_with_the_model_ends_the_run(graph: ModelGraph) -> None:
    def refuse(_: ModelGraph) -> None:
        raise ModelError("two of them")

    with pytest.raises(ModelError, match="two of them"):
        run_passes(graph, [made("strict", act=refuse)])


def test_a_pass_may_not_write_what_it_does_not_provide(graph: ModelGraph) -> None:
    def write(graph: ModelGraph) -> None:
        graph[B] = 2

    with pytest.raises(PassError, match="writes the fact 'b', which it does not provide"):
        run_passes(graph, [made("liar", (), (A,), write)])


def test_a_pass_must_write_what_it_promises(graph: ModelGraph) -> None:
    with pytest.raises(PassError, match="promises the fact 'a' and does not write it"):
        run_passes(graph, [made("idle", (), (A,), lambda _: None)])


def test_a_fact_of_each_operator_counts_as_written(graph: ModelGraph) -> None:
    def write(graph: ModelGraph) -> None:
        for node in graph:
            graph[node, A] = 1

    assert run_passes(graph, [made("each", (), (A,), write)])[0].status == "ok"


def test_a_listener_hears_every_pass_with_its_place(graph: ModelGraph) -> None:
    heard: list[tuple[str, int, int]] = []
    run_passes(graph, [made("two", (A,)), made("one", (), (A,))], listener=lambda *told: heard.append(told))
    assert heard == [("one", 0, 2), ("two", 1, 2)]
