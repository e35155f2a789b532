from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nnea_graph import analyze
from nnea_graph.report.schema.analysis import Report
from nnea_graph.report.views.module_tree import MOST_CHILDREN, ModuleBranch, module_tree

MODELS = Path(__file__).parents[3] / "models"


def report(count: int, scope: str = "") -> Report:
    """A report of so many operators, all of one module."""
    found = analyze(MODELS / "digits_mlp.onnx", passes="cost")
    nodes = [replace(found.nodes[0], id=f"Relu_{place}", scope=scope) for place in range(count)]
    return replace(found, nodes=nodes)


def branches(tree: ModuleBranch) -> Iterator[ModuleBranch]:
    yield tree
    for each in tree.modules.values():
        yield from branches(each)


def test_every_operator_is_in_one_module() -> None:
    found = analyze(MODELS / "digits_transformer.onnx", passes="cost")
    places = [place for each in branches(module_tree(found)) for place in each.operators]
    assert sorted(places) == list(range(len(found.nodes)))


def test_a_chain_of_modules_is_one() -> None:
    tree = module_tree(report(3, "encoder.layers.0"))
    assert list(tree.modules) == ["encoder.layers.0"]
    assert tree.modules["encoder.layers.0"].operators == [0, 1, 2]


def test_no_module_holds_more_than_fits_side_by_side() -> None:
    tree = module_tree(report(5000))
    assert all(len(each.operators) <= MOST_CHILDREN for each in branches(tree))
    assert all(len(each.modules) <= MOST_CHILDREN for each in branches(tree))
    assert sorted(place for each in branches(tree) for place in each.operators) == list(range(5000))
