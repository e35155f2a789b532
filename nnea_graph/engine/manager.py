"""Runs passes in the order of what they need and give, and says how each went."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from nnea_graph.engine.base import Pass
from nnea_graph.engine.context import RunContext
from nnea_graph.engine.section import FactSection, checked
from nnea_graph.errors import NneaError, PassError
from nnea_graph.graph import ModelGraph

Listener = Callable[[str, int, int], None]
"""Told before each pass: its name, its place, how many there are."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """Outcome of a pass: ``status`` is ok, failed or skipped. ``peak_bytes`` is of the process, up to its end.

    ``section`` is what it says of its facts, None where it does not describe them.
    """

    name: str
    status: str
    reason: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0
    section: FactSection | None = None


def ordered_passes(passes: Sequence[Pass]) -> list[Pass]:
    """The passes, each after those that provide what it requires or uses.

    Raises:
        PassError: two passes provide one fact, nobody provides a required one, or they wait for each other.
    """
    providers: dict[str, Pass] = {}
    for each in passes:
        for key in each.provides:
            if key.name in providers:
                raise PassError(
                    f"passes '{providers[key.name].name}' and '{each.name}' both provide '{key.name}'"
                )
            providers[key.name] = each
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for each in passes:
        missing = [key.name for key in each.requires if key.name not in providers]
        if missing:
            raise PassError(f"pass '{each.name}' requires '{missing[0]}', which no pass provides")
        used = [key for key in each.uses if key.name in providers]
        sorter.add(each.name, *(providers[key.name].name for key in (*each.requires, *used)))
    by_name = {each.name: each for each in passes}
    try:
        return [by_name[name] for name in sorter.static_order()]
    except CycleError as error:
        raise PassError(f"passes wait for each other: {' -> '.join(error.args[1])}") from error


def run_passes(
    graph: ModelGraph,
    passes: Sequence[Pass],
    context: RunContext | None = None,
    listener: Listener | None = None,
) -> list[PassResult]:
    """Run all; what depends on a failed pass is skipped, everything else goes on."""
    order, context = ordered_passes(passes), context or RunContext()
    missing: dict[str, str] = {}
    results: list[PassResult] = []
    for place, each in enumerate(order):
        if listener:
            listener(each.name, place, len(order))
        lacking = next((key.name for key in each.requires if key.name in missing), None)
        if lacking is None:
            result = _run(graph, context, each)
        else:
            result = PassResult(each.name, "skipped", f"pass '{missing[lacking]}' did not give '{lacking}'")
        if result.status != "ok":
            missing |= {key.name: each.name for key in each.provides}
        results.append(result)
    return results


def _run(graph: ModelGraph, context: RunContext, each: Pass) -> PassResult:
    start = time.perf_counter()
    status, reason, section = "ok", "", None
    try:
        with graph.writing(each.provides):
            each.run(graph, context)
        _check_provided(graph, each)
        section = _described(graph, each)
    except NneaError:
        raise  # a fault of the model or a broken contract: the program's own errors end the run
    except Exception as error:  # noqa: BLE001 - the one boundary where somebody else's pass may fail alone
        status, reason = "failed", f"{type(error).__name__}: {error}"
    return PassResult(each.name, status, reason, time.perf_counter() - start, peak_bytes(), section)


def _described(graph: ModelGraph, each: Pass) -> FactSection | None:
    section = each.describe(graph)
    return section and checked(section, graph)


def _check_provided(graph: ModelGraph, each: Pass) -> None:
    first = next(iter(graph), None)
    for key in each.provides:
        if key not in graph and (first is None or (first, key) not in graph) and len(graph):
            raise PassError(f"pass '{each.name}' promises the fact '{key.name}' and does not write it")


def peak_bytes() -> int:
    """Most memory that the process held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
