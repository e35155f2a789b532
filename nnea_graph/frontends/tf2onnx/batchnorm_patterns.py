"""Normalizations with fixed statistics, found in a frozen graph of TensorFlow by what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnea_graph.frontends.provenance.derivations import Normalization
from nnea_graph.frontends.tf2onnx.imports import imported

_SAME = frozenset({"Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "StopGradient", "Neg"})
"""What passes the numbers of its first input on, but for their sign."""

_SUMS = frozenset({"Add", "AddV2"})
_FUSED = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})


def normalizations(graph_def: Any, variables: Mapping[str, str]) -> list[Normalization]:
    """Normalizations in the order of the graph; ``variables`` are the parameters by the constants that hold them.

    ``tf.nn.batch_normalization`` and the fused operator are known; what computes in another way is not found.
    """
    graph = _Graph.of(graph_def, variables)
    found = (norm for node in graph_def.node for norm in (*_fused(node, graph), *_spelled_out(node, graph)))
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Graph:
    nodes: Mapping[str, Any]
    readers: Mapping[str, Sequence[Any]]
    variables: Mapping[str, str]

    @classmethod
    def of(cls, graph_def: Any, variables: Mapping[str, str]) -> _Graph:
        readers: dict[str, list[Any]] = {}
        for node in graph_def.node:
            for name in map(_maker, node.input):
                readers.setdefault(name, []).append(node)
        return cls({node.name: node for node in graph_def.node}, readers, variables)

    def origin(self, name: str) -> Any:
        """The operator or constant that the numbers of a tensor are made by."""
        node = self.nodes.get(_maker(name))
        while node is not None and node.op in _SAME:
            node = self.nodes.get(_maker(node.input[0]))
        return node

    def parameter(self, name: str) -> str:
        """The variable that a tensor holds, "" where it holds none."""
        node = self.origin(name)
        return self.variables.get(node.name, "") if node is not None else ""

    def number(self, name: str) -> float | None:
        """The one number that a constant holds."""
        node = self.origin(name)
        if node is None or node.op != "Const" or node.name in self.variables:
            return None
        value = imported("tensorflow", "a TensorFlow model").make_ndarray(node.attr["value"].tensor)
        return float(value.reshape(-1)[0]) if value.size == 1 and value.dtype.kind in "fiu" else None

    def uses(self, node: Any) -> Iterator[Any]:
        """The operators that compute with what a node gives."""
        for reader in self.readers.get(node.name, ()):
            if reader.op in _SAME:
                yield from self.uses(reader)
            else:
                yield reader

    def partners(self, node: Any, op: str) -> Iterator[tuple[Any, str]]:
        """The operators of two operands that use a node, and the parameter that is the other one, "" for none."""
        for user in self.uses(node):
            if user.op == op:
                yield from (
                    (user, self.parameter(name)) for name in user.input[:2] if self.origin(name) is not node
                )


def _maker(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _fused(node: Any, graph: _Graph) -> Iterator[Normalization]:
    if node.op in _FUSED and not node.attr["is_training"].b:
        gamma, beta, mean, variance = map(graph.parameter, node.input[1:5])
        if mean and variance:
            yield Normalization(mean, variance, gamma, beta, node.attr["epsilon"].f)


def _spelled_out(node: Any, graph: _Graph) -> Iterator[Normalization]:
    """``x * s + (beta - mean * s)`` with ``s = rsqrt(variance + epsilon) * gamma``."""
    if node.op != "Rsqrt":
        return
    total = graph.origin(node.input[0])
    if total is None or total.op not in _SUMS:
        return
    for one, other in (total.input[:2], total.input[1::-1]):
        variance, epsilon = graph.parameter(one), graph.number(other)
        if variance and epsilon is not None:
            yield from _shifted(variance, epsilon, "", node, graph)
            for scale, gamma in graph.partners(node, "Mul"):
                if gamma:
                    yield from _shifted(variance, epsilon, gamma, scale, graph)


def _shifted(variance: str, epsilon: float, gamma: str, scale: Any, graph: _Graph) -> Iterator[Normalization]:
    """Those that a scale is part of: the mean is multiplied by it, and perhaps taken from beta."""
    for product, mean in graph.partners(scale, "Mul"):
        if mean:
            beta = next((name for _, name in graph.partners(product, "Sub") if name), "")
            yield Normalization(mean, variance, gamma, beta, epsilon)
