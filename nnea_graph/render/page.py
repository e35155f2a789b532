"""Context that every section of the text report needs: the report, the room there is, and what things are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from nnea_graph.render.sanitize import inert, shorten
from nnea_graph.report.schema.analysis import Dim, Layer, Node, Report
from nnea_graph.report.units import percent

_DIM = 40


@dataclass(frozen=True)
class Page:
    """A report on a page of ``width`` cells; ``top`` rows of what is long, all of it where verbose."""

    report: Report
    width: int
    verbose: bool = False
    top: int = 10

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Operators by id."""
        return {node.id: node for node in self.report.nodes}

    @cached_property
    def _main(self) -> dict[str, str]:
        """Main layer by module that it names: the one with more parameters than any other in it."""
        most: dict[str, tuple[int, str]] = {}
        for layer in self.report.layers:
            size, _ = most.get(layer.scope, (-1, ""))
            if layer.parameters > size:
                most[layer.scope] = layer.parameters, layer.id
            elif layer.parameters == size:
                most[layer.scope] = size, ""
        return {scope: layer_id for scope, (_, layer_id) in most.items()}

    @cached_property
    def _typed_scopes(self) -> Counter[tuple[str, str]]:
        return Counter((layer.scope, layer.op_type) for layer in self.report.layers)

    @cached_property
    def _fused(self) -> Counter[str]:
        """Number of times that a name stands first in names that tf2onnx has made of several: ``a/Relu;b/Conv2D``."""
        pairs = ((layer.scope, layer.id) for layer in self.report.layers)
        return Counter(first for pair in pairs for first in {name.partition(";")[0] for name in pair})

    def called(self, node_id: str) -> str:
        """The module of the source model where this is its main layer, else the module and the operator."""
        node = self.nodes.get(node_id)
        if node is None:
            return inert(node_id)
        return self._name(node, alone=self._main.get(node.scope) == node_id)

    def row_name(self, layer: Layer) -> str:
        """Same as ``called``, beside a column that tells the operator type."""
        alone = self._typed_scopes[layer.scope, layer.op_type] == 1
        return self._name(self.nodes[layer.id], alone=alone)

    def _name(self, node: Node, *, alone: bool) -> str:
        name = node.id.removeprefix(f"{node.body}/") if node.body else node.id
        if node.scope:
            name = node.scope if alone else f"{node.scope}/{node.id.rpartition('/')[2]}"
        first = name.partition(";")[0]
        return inert(first if self._fused[first] == 1 else name)

    def why_not(self, name: str) -> str:
        """Reason why the facts of a pass are not there."""
        run = next((run for run in self.report.passes if run.name == name), None)
        if run is None:
            return f"not computed (pass {name})"
        return f"not computed: pass {name} {run.status}"

    def ran(self, name: str) -> bool:
        """Tells whether the facts of a pass are there."""
        return any(run.name == name and run.status == "ok" for run in self.report.passes)


def by_module(called: Mapping[str, str]) -> Callable[[str], str]:
    """Operators by the names of their modules, where these are known, safe to show."""
    return lambda name: inert(called.get(name, name))


def dims(shape: Sequence[Dim] | None) -> str:
    """``1×3×224×224``."""
    if shape is None:
        return "shape unknown"
    return "×".join("?" if dim is None else shorten(inert(str(dim)), _DIM) for dim in shape) or "scalar"


def per_cent(share: float | None, missing: str = "–") -> str:
    """A share in a column whose title says per cent."""
    return missing if share is None else percent(share).removesuffix(" %") if share else "0"


def many(count: int, noun: str) -> str:
    """``1 operator``, ``1,200 operators``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
