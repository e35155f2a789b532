"""Solves the layers of a pruned model again, one after the other, so that they give what the original gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isinf
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.engine.data import Data
from nnea_graph.frontends.onnx.graph import derived_graph
from nnea_graph.graph import ModelGraph, OpNode
from nnea_graph.report.schema.verification import RefitLayer
from nnea_graph.rewrite.refit.layer_fit import Fitting, Kept, LayerFit
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.rewrite.refit.options import RefitOptions
from nnea_graph.rewrite.refit.schedule import affected, stages
from nnea_graph.rewrite.refit.write_weights import stored_names, with_values
from nnea_graph.runtime.perturb.staged_runs import Stages
from nnea_graph.runtime.session.session import Settings

Values = dict[str, NDArray[Any]]

Progress = Callable[[str, int, int], None]
"""Told before each layer: its name, its place, how many there are."""


@dataclass(frozen=True, slots=True)
class Refitted:
    """The model with its new weights, and what became of each layer, in the order of execution."""

    model: ModelProto
    layers: tuple[RefitLayer, ...]


def refit(  # noqa: PLR0913, PLR0917 - two models, what joins them, data, two options
    original: ModelGraph,
    pruned: ModelProto,
    kept: Kept,
    parts: tuple[Data, Data],
    options: RefitOptions | None = None,
    progress: Progress | None = None,
) -> Refitted:
    """Refit every layer that reads pruned channels or anything computed of them.

    Layers are solved in the order of execution, each with what the pruned network, refitted so far, gives it, and
    held to the weights that it has.

    Args:
        original: the model before.
        pruned: the same operators and tensors by name, with fewer channels and their weights as they were.
        kept: by tensor and axis, which of the original's indices are left, where some are not.
        parts: data to fit on, and others that choose the ridge and whether the fit is taken.
        options: how much is taken for it.
        progress: told of each layer.

    Raises:
        RunError: a model cannot be run.
        DataError: the data cannot be read.
    """
    graph = derived_graph(pruned, original)
    options = options or RefitOptions()
    found = affected(graph, {name for name, _ in kept})
    stored = stored_names(pruned)
    reasons = {
        name: layer if isinstance(layer, str) else _reason(layer, original, stored, options)
        for name, layer in found.items()
    }
    layers = [
        layer for layer in found.values() if isinstance(layer, RefittableLayer) and not reasons[layer.node.id]
    ]
    run = _Run(original, pruned, graph, layers, kept, parts, options)
    for stage in stages(graph, layers, options.gram_bytes):
        for layer in stage:
            if progress:
                progress(layer.node.id, len(run.fits), len(layers))
        run.solve(stage)
    return run.result([graph.node(name) for name in found], reasons)


def _reason(layer: RefittableLayer, original: ModelGraph, stored: set[str], options: RefitOptions) -> str:
    """Reason why a layer that could be refitted is not."""
    if original.producer(layer.compared) is None:
        return f"the original has no tensor '{layer.compared}'"
    if layer.weight not in stored:
        return "its weights lie in a function"
    if layer.bytes > options.gram_bytes:
        return f"its sums take {layer.bytes:,} bytes, over {options.gram_bytes:,}"
    return ""


class _Run:
    """Both networks, and the values of the pruned one's constants so far."""

    def __init__(  # noqa: PLR0913, PLR0917 - as refit
        self,
        original: ModelGraph,
        pruned: ModelProto,
        graph: ModelGraph,
        layers: Sequence[RefittableLayer],
        kept: Kept,
        parts: tuple[Data, Data],
        options: RefitOptions,
    ) -> None:
        self._pruned, self._layers, self._kept = pruned, layers, kept
        self._parts, self._options = parts, options
        self.fits: dict[str, LayerFit] = {}
        self._weights = {
            layer.weight: original.constants[layer.weight].array()
            for layer in layers
            if not layer.target.tensor
        }
        self._values: Values = {}
        for layer in layers:
            self._values |= _values(layer, graph.constants[layer.weight].array(), LayerFit.nothing())
        settings = Settings(options.threads)
        prepared = derived_graph(with_values(pruned, layers, self._values), original)
        self._before = Stages(original, self._feeds, options.kept_bytes, settings)
        self._now = Stages(prepared, self._feeds, options.kept_bytes, settings)
        self._owners: list[int] = []

    def _feeds(self) -> Iterator[dict[str, NDArray[Any]]]:
        """All batches of both parts; the owner of each is written down the first time."""
        place = 0
        for owner, part in enumerate(self._parts):
            for batch in part.batches(self._options.batch_size):
                if place == len(self._owners):
                    self._owners.append(owner)
                place += 1
                yield batch.feeds

    def solve(self, stage: Sequence[RefittableLayer]) -> None:
        """Fit the layers of a stage in one run of both networks."""
        targets = list(dict.fromkeys(layer.compared for layer in stage))
        inputs = list(dict.fromkeys(layer.x for layer in stage))
        fittings = [
            Fitting(layer, self._kept, self._options.rows_of(layer, self._parts[0]), self._options.seed)
            for layer in stage
        ]
        before = self._before.run(targets, targets, {})
        now = self._now.run([*targets, *inputs], inputs, self._values)
        for place, (theirs, ours) in enumerate(zip(before, now, strict=True)):
            original = dict(zip(targets, theirs, strict=True))
            pruned = dict(zip([*targets, *inputs], ours, strict=True))
            for fitting in fittings:
                layer = fitting.layer
                wanted = layer.given(original[layer.compared], self._weights.get(layer.weight))
                given = layer.given(pruned[layer.compared], self._values[layer.weight])
                fitting.add(self._owners[place], pruned[layer.x], wanted, given)
        for fitting in fittings:
            layer, fit = fitting.layer, fitting.fit()
            self.fits[layer.node.id] = fit
            self._values |= _values(layer, self._values[layer.weight], fit)

    def result(self, nodes: Sequence[OpNode], reasons: dict[str, str]) -> Refitted:
        """The pruned model with the layers that were refitted, the others as they were."""
        taken = [layer for layer in self._layers if self.fits[layer.node.id].step is not None]
        names = {name for layer in taken for name in layer.constants}
        values = {name: array for name, array in self._values.items() if name in names}
        targets = {layer.node.id: layer.target for layer in self._layers}
        rows = []
        for node in nodes:
            fit, target = self.fits.get(node.id, LayerFit.nothing(reasons[node.id])), targets.get(node.id)
            ridge = None if fit.ridge is None or isinf(fit.ridge) else fit.ridge
            rows.append(
                RefitLayer(
                    node.id,
                    node.op_type,
                    fit.step is not None,
                    target.tensor if target else "",
                    bool(target and target.other),
                    ridge,
                    fit.before,
                    fit.after,
                    fit.rows,
                    fit.reason,
                )
            )
        return Refitted(with_values(self._pruned, taken, values), tuple(rows))


def _values(layer: RefittableLayer, weight: NDArray[Any], fit: LayerFit) -> Values:
    """The layer's constants after a fit; before it, its bias as it stands or will stand."""
    step, bias = fit.step, layer.bias
    if step is not None:
        weight = weight + layer.form.difference(step.weight)
    found = {layer.weight: weight.astype(layer.dtype)}
    if bias is not None:
        values = bias.values if step is None else bias.values + step.bias.reshape(-1) / bias.factor
        found[bias.name] = bias.stored(values).astype(layer.dtype)
    return found
