"""Pipeline text: ``cost,weight_statistics`` or ``+pathways{k=5}``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from nnea_graph.engine import Pass, RunContext
from nnea_graph.engine.pipeline import Item, build, complete, parse
from nnea_graph.errors import UsageError
from nnea_graph.graph import Key, ModelGraph


@dataclass(frozen=True)
class OptionsPass(Pass):
    """Has an option of each kind."""

    name = "options"

    number: int = 1
    share: float = 0.5
    word: str = "a"
    flag: bool = False
    names: tuple[str, ...] = ()
    anything: object = None

    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Do nothing."""


class _Idle(Pass):
    def run(self, graph: ModelGraph, _context: RunContext) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class BasePass(_Idle):
    name = "base"
    provides: ClassVar[tuple[Key[Any], ...]] = (Key("base"),)
    default = False


@dataclass(frozen=True)
class UserPass(_Idle):
    name = "user"
    requires: ClassVar[tuple[Key[Any], ...]] = (Key("base"),)


@dataclass(frozen=True)
class DearPass(_Idle):
    name = "dear"
    default = False


KNOWN: dict[str, Any] = {"base": lambda: BasePass, "user": lambda: UserPass, "dear": lambda: DearPass}


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("cost", [Item("cost", {}, added=False)]),
        (" cost , memory ", [Item("cost", {}, added=False), Item("memory", {}, added=False)]),
        ("+cost", [Item("cost", {}, added=True)]),
        ("weight-statistics", [Item("weight_statistics", {}, added=False)]),
        ("a{k=5, score = flow }", [Item("a", {"k": "5", "score": "flow"}, added=False)]),
        ("a{}", [Item("a", {}, added=False)]),
        ("a{x==1}", [Item("a", {"x": "=1"}, added=False)]),
        ("a,", [Item("a", {}, added=False)]),
    ],
)
def test_pipeline_text_is_read(text: str, items: list[Item]) -> None:
    assert parse(text) == items


@pytest.mark.parametrize(
    "text", ["", ",", "a b", "a{", "a}", "a{k=1}}", "++a", "1a", "a;b", "a{b{c=1}}", "é"]
)
def test_text_that_is_no_pipeline_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^passes: "):
        parse(text)


def test_long_text_is_refused_in_no_time() -> None:
    with pytest.raises(UsageError):
        parse("a{" * 100_000)


def test_options_are_typed() -> None:
    texts = {"number": "7", "share": "0.25", "word": "b", "flag": "True", "names": "x|y"}
    assert build(OptionsPass, texts) == OptionsPass(7, 0.25, "b", flag=True, names=("x", "y"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"number": "x"}, "option 'number' of pass 'options' is int, not 'x'"),
        ({"number": "9" * 5000}, "is int"),
        ({"share": "much"}, "is float"),
        ({"flag": "yes"}, "is bool"),
        ({"anything": "1"}, "cannot be given as text"),
        ({"nothing": "1"}, "has no option 'nothing'; it has number, share"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        build(OptionsPass, options)


def test_text_wins_over_values_that_the_program_has() -> None:
    assert build(OptionsPass, {"number": "2"}, {"number": 1, "word": "given"}) == OptionsPass(2, word="given")


def names(text: str) -> set[str]:
    return {each.name for each in complete(parse(text), KNOWN)}


def test_a_named_pass_brings_what_it_needs() -> None:
    assert names("user") == {"user", "base"}


def test_an_added_pass_comes_on_top_of_the_default_ones() -> None:
    assert names("+dear") == {"dear", "user", "base"}


def test_a_named_pass_comes_alone() -> None:
    assert names("dear") == {"dear"}


def test_a_misspelled_pass_is_guessed() -> None:
    with pytest.raises(UsageError, match="did you mean 'user'"):
        complete(parse("usr"), KNOWN)


@dataclass(frozen=True)
class TastyPass(_Idle):
    name = "tasty"
    uses: ClassVar[tuple[Key[Any], ...]] = (Key("base"),)
    default = False


@pytest.mark.parametrize(
    ("with_data", "may_run", "names"),
    [(False, True, ["tasty"]), (True, True, ["tasty", "base"]), (True, False, ["tasty"])],
    ids=["no-data", "data", "data-and-no-run"],
)
def test_what_a_pass_only_uses_runs_with_data_alone(
    names: list[str], *, with_data: bool, may_run: bool
) -> None:
    known: dict[str, Any] = {**KNOWN, "tasty": lambda: TastyPass}
    chosen = complete(parse("tasty"), known, may_run=may_run, with_data=with_data)
    assert [each.name for each in chosen] == names
