"""The operators of a report as a tree of modules that a person can open one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema.analysis import Node, Report

MOST_CHILDREN = 48
"""Operators that lie side by side in one module; more of them are put into blocks."""

_SEPARATORS = re.compile(r"[./]")


@dataclass(slots=True)
class ModuleBranch:
    """A module: the modules in it, and the operators directly in it by their place in the report."""

    name: str
    modules: dict[str, ModuleBranch] = field(default_factory=dict)
    operators: list[int] = field(default_factory=list)


def module_tree(report: Report) -> ModuleBranch:
    """The whole model; a module with many operators of its own has them in blocks, in execution order."""
    tree = ModuleBranch("")
    for place, node in enumerate(report.nodes):
        branch = tree
        for part in _parts(node):
            branch = branch.modules.setdefault(part, ModuleBranch(part))
        branch.operators.append(place)
    return _blocked(_joined(tree), report.nodes)


def _parts(node: Node) -> Iterator[str]:
    if node.body:
        yield from node.body.split("/")
    yield from (part for part in _SEPARATORS.split(node.scope) if part)


def _joined(branch: ModuleBranch) -> ModuleBranch:
    """A module that holds one module and nothing else is one with it: ``encoder.layers``."""
    modules = [_joined(each) for each in branch.modules.values()]
    if branch.name and len(modules) == 1 and not branch.operators:
        (only,) = modules
        return ModuleBranch(f"{branch.name}.{only.name}", only.modules, only.operators)
    return ModuleBranch(branch.name, {each.name: each for each in modules}, branch.operators)


def _blocked(branch: ModuleBranch, nodes: Sequence[Node]) -> ModuleBranch:
    modules: Mapping[str, ModuleBranch] = {
        name: _blocked(each, nodes) for name, each in branch.modules.items()
    }
    if len(branch.operators) <= MOST_CHILDREN:
        return ModuleBranch(branch.name, dict(modules), branch.operators)
    blocks = list(_blocks(branch.operators, nodes))
    return ModuleBranch(branch.name, dict(modules) | {each.name: each for each in blocks})


def _blocks(operators: Sequence[int], nodes: Sequence[Node]) -> Iterator[ModuleBranch]:
    """Runs of operators, and runs of runs where there are more than fit side by side."""
    size = MOST_CHILDREN
    while len(operators) > size * MOST_CHILDREN:
        size *= MOST_CHILDREN
    for start in range(0, len(operators), size):
        inner = operators[start : start + size]
        most = Counter(nodes[place].op_type for place in inner).most_common(1)[0][0]
        block = ModuleBranch(f"operators {start + 1:,} to {start + len(inner):,}, mostly {most}")
        if len(inner) > MOST_CHILDREN:
            block.modules = {each.name: each for each in _blocks(inner, nodes)}
        else:
            block.operators = list(inner)
        yield block
