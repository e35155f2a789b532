"""Numbers that renderers pick out of a report: shares, groups and orders, computed here and nowhere else."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from nnea_graph.report.schema.analysis import Branch, Finding, Layer, Node, Report
from nnea_graph.report.schema.modules import Module

_SEPARATORS = re.compile(r"[./]")
_MOST_LEVELS = 6
_DOMINANT = 0.5
_MOST_MODULES = 24


@dataclass(frozen=True, slots=True)
class CostGroup:
    """Operators that have something in common; those of branches outside the total are left out."""

    name: str
    operators: int
    macs: int
    share: float


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """The findings of one rule, worst first."""

    rule: str
    severity: str
    hazard: str
    mitigation: str
    findings: Sequence[Finding]


def share(part: int | None, whole: int | None) -> float | None:
    """None where either is not known or the whole is nothing."""
    return None if part is None or not whole else part / whole


def left_out(report: Report) -> frozenset[str]:
    """Ids of operators in branches that the totals do not take."""
    return frozenset(node.id for node in report.nodes if not node.in_total)


def by_operator(report: Report) -> list[CostGroup]:
    """MACs by operator type, dearest first; products of two activations apart from those with weights."""
    layers = {layer.id for layer in report.layers}
    return _groups(report, lambda node: node.op_type if node.id in layers else f"{node.op_type}, no weights")


def by_module(report: Report) -> list[CostGroup]:
    """MACs by module of the source model, dearest first; empty where the file tells too little.

    The depth is the first at which no module holds more than half of the MACs; where there is none,
    the first at which there are two modules. More than 24 modules are a list, not a summary.
    """
    costly = _costly(report)
    scoped = sum(node.macs or 0 for node in costly if node.scope)
    if not costly or 2 * scoped < sum(node.macs or 0 for node in costly):
        return []
    shared = len(_common([_parts(node.scope) for node in costly if node.scope], spare=1))
    levels = [_groups(report, _module(shared, depth)) for depth in range(1, _MOST_LEVELS + 1)]
    usable = [groups for groups in levels if 1 < len(groups) <= min(_MOST_MODULES, len(costly) - 1)]
    return next((groups for groups in usable if groups[0].share <= _DOMINANT), usable[0] if usable else [])


def source_modules(report: Report) -> list[Module]:
    """The modules that a live model told of; empty where its layers say it all."""
    every = [module for module in report.modules if module.path and module.class_name]
    return every if any(module.depth > 1 or module.note for module in every) else []


def outer_modules(modules: Sequence[Module], most: int) -> list[Module]:
    """The modules down to the deepest level at which they are no more than so many; at least the outermost."""
    depths = sorted({module.depth for module in modules}, reverse=True)
    levels = ([each for each in modules if each.depth <= depth] for depth in depths)
    fitting = next((level for level in levels if len(level) <= most), None)
    return fitting or [each for each in modules if each.depth == depths[-1]][:most]


def _costly(report: Report) -> list[Node]:
    return [node for node in report.nodes if node.in_total and node.macs]


def _groups(report: Report, key: Callable[[Node], str]) -> list[CostGroup]:
    total = report.totals.macs
    macs: Counter[str] = Counter()
    members: Counter[str] = Counter()
    for node in _costly(report):
        macs[key(node)] += node.macs or 0
        members[key(node)] += 1
    order = sorted(macs, key=lambda name: (-macs[name], name))
    return [CostGroup(name, members[name], macs[name], share(macs[name], total) or 0.0) for name in order]


def _module(shared: int, depth: int) -> Callable[[Node], str]:
    return lambda node: ".".join(_parts(node.scope)[: shared + depth])


def _parts(scope: str) -> list[str]:
    return [part for part in _SEPARATORS.split(scope) if part]


def _common(paths: Sequence[Sequence[str]], spare: int) -> list[str]:
    """Leading parts that all have in common, the last ``spare`` parts of the shortest left alone."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*paths, strict=False))
    shortest = min((len(path) for path in paths), default=0)
    return [column[0] for column in columns][: max(0, shortest - spare)]


def most_expensive_layers(report: Report, top: int) -> list[Layer]:
    """Layers in execution order: all of up to 2 x ``top`` layers, else the ``top`` by MACs and by parameters."""
    if len(report.layers) <= 2 * top:
        return list(report.layers)
    outside = left_out(report)
    places = range(len(report.layers))
    chosen = {
        *_largest(
            places, top, lambda at: 0 if report.layers[at].id in outside else report.layers[at].macs or 0
        ),
        *_largest(places, top, lambda at: report.layers[at].parameters),
    }
    return [report.layers[at] for at in sorted(chosen)]


def _largest(places: Sequence[int], top: int, size: Callable[[int], int]) -> list[int]:
    return [at for at in sorted(places, key=lambda at: (-size(at), at))[:top] if size(at)]


def working_branches(report: Report) -> tuple[list[Branch], list[Branch]]:
    """Branches that hold MACs or parameters, or run who knows how often: outermost ones, and those within."""
    working = [each for each in report.branches if each.macs or each.parameters or each.runs is None]
    paths = {each.path for each in working}
    around = {each.path: each.owner for each in report.branches}
    lies_in = {node.id: node.body for node in report.nodes}
    inner = {path for path in paths if any(outer in paths for outer in _outward(path, around, lies_in))}
    return (
        [each for each in working if each.path not in inner],
        [each for each in working if each.path in inner],
    )


def _outward(path: str, owners: Mapping[str, str], lies_in: Mapping[str, str]) -> Iterator[str]:
    """The bodies around a body, innermost first."""
    while path := lies_in.get(owners.get(path, ""), ""):
        yield path


def by_rule(report: Report) -> list[RuleGroup]:
    """Findings by rule, in the report's order of severity; within a rule farthest from the threshold first."""
    members: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        members[finding.rule].append(finding)
    return [
        RuleGroup(rule, same[0].severity, same[0].hazard, same[0].mitigation, sorted(same, key=_badness))
        for rule, same in members.items()
    ]


def _badness(finding: Finding) -> float:
    if finding.value is None or finding.threshold is None:
        return 0.0
    return -abs(finding.value - finding.threshold)
