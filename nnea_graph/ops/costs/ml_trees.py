"""Tree ensembles: a row takes one compare a level of each tree and adds the leaves.

Which leaf a row reaches is data, so the longest way counts: an upper bound, called an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from nnea_graph.ops.attribute_checks import need, numbers, whole, word
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.cost_rules import OperatorCost, work
from nnea_graph.ops.costs.ml import ML, post_transform, rows_of

Node = tuple[int, int] | int
"""Tree and number, or a position."""

LONGEST = "the leaf that a row reaches is data: the longest way down each tree counts"
TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def depth(roots: Iterable[Node], children: Mapping[Node, Sequence[Node]]) -> int:
    """Inner nodes (those with an entry) on the longest ways down, added over the roots.

    Raises:
        BadCallError: a node is its own ancestor.
    """
    height: dict[Node, int] = {}
    try:
        for node in TopologicalSorter(children).static_order():
            below = children.get(node)
            height[node] = 0 if below is None else 1 + max((height[child] for child in below), default=0)
    except CycleError as error:
        raise BadCallError("a node of a tree is its own ancestor") from error
    return sum(height.get(root, 0) for root in roots)


@work("TreeEnsembleClassifier", "TreeEnsembleRegressor", domain=ML)
def tree_ensemble(call: OpCall) -> OperatorCost:
    """Nodes are named by tree and number; the first of a tree is its root."""
    columns = ("nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids", "nodes_modes")
    trees, names, yes, no, modes = (numbers(call, column) for column in columns)
    need(
        len({len(column) for column in (trees, names, yes, no, modes)}) == 1, "nodes_* lists differ in length"
    )
    children: dict[Node, tuple[Node, ...]] = {}
    roots: dict[int, Node] = {}
    for tree, name, true, false, mode in zip(trees, names, yes, no, modes, strict=True):
        roots.setdefault(tree, (tree, name))
        if mode != "LEAF":
            children[tree, name] = ((tree, true), (tree, false))
    after = word(call, "post_transform", "NONE")
    return _walked(call, depth(roots.values(), children), len(roots), after)


def _targets(call: OpCall) -> int:
    labels = max(len(numbers(call, "classlabels_int64s")), len(numbers(call, "classlabels_strings")))
    return whole(call, "n_targets", labels or 1)


def _walked(call: OpCall, compares: int, trees: int, after: str) -> OperatorCost:
    rows, _ = rows_of(call)
    walked = OperatorCost(other_flops=rows * (compares + trees), estimate=LONGEST if compares else "")
    return walked + post_transform(after, rows * _targets(call))


@work("TreeEnsemble", domain=ML)
def tree_ensemble_5(call: OpCall) -> OperatorCost:
    """Nodes are positions in lists; leaves have lists of their own."""
    columns = ("nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs")
    yes, yes_leaf, no, no_leaf = (numbers(call, column) for column in columns)
    need(len({len(column) for column in (yes, yes_leaf, no, no_leaf)}) == 1, "nodes_* lists differ in length")
    roots = numbers(call, "tree_roots")
    children: dict[Node, list[Node]] = {node: [] for node in range(len(yes))}
    for branch, leaf in ((yes, yes_leaf), (no, no_leaf)):
        for node, (child, ends) in enumerate(zip(branch, leaf, strict=True)):
            children[node] += [] if ends else [child]
    which = whole(call, "post_transform", 0)
    need(which < len(TRANSFORMS), f"post_transform is {which}")
    return _walked(call, depth(roots, children), len(roots), TRANSFORMS[which])
