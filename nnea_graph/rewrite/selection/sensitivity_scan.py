"""Surveys a model: of every family, in which order its groups go, and what the model loses with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from nnea_graph.engine.data import Data
from nnea_graph.graph import Constant, ModelGraph
from nnea_graph.passes.cost import MODEL_COST
from nnea_graph.rewrite.coupling.groups import Coupling, Family
from nnea_graph.rewrite.refit.layers import RefittableLayer
from nnea_graph.rewrite.refit.options import RefitOptions
from nnea_graph.rewrite.selection.consumers import ConsumerLayer, Slot, layers_seen, readers_of
from nnea_graph.rewrite.selection.criteria import DEFAULT, GroupCandidates, order_of
from nnea_graph.rewrite.selection.eligibility import stays_whole
from nnea_graph.rewrite.selection.gram_statistics import input_sums, seen_bytes
from nnea_graph.rewrite.selection.least_squares_views import LeastSquaresView, view_of
from nnea_graph.rewrite.selection.sensitivity_curves import Curve, measured_curve
from nnea_graph.runtime.perturb.repeated_runs import Bounds, Rerun
from nnea_graph.runtime.perturb.weight_override import WeightOverrideSession
from nnea_graph.runtime.perturb.work_budget import fitting_samples, sample_operations
from nnea_graph.runtime.session.session import Settings

SECONDS = 10.0
"""Of work, counted and not by the clock, for one run of the held-out samples: those that it is enough for are used."""

Progress = Callable[[str, int, int], None]
"""Told before each family: its name, its place, how many there are."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Criterion by which criterion, whether there is to be a refit, and what it may take."""

    criterion: str = DEFAULT
    refit: bool = True
    seed: int = 0
    costs: RefitOptions = field(default_factory=RefitOptions)


@dataclass(frozen=True, slots=True)
class SensitivityScan:
    """Curves by family; ``left_out`` says of the others why nothing was measured: they stay whole."""

    curves: Mapping[str, Curve]
    left_out: Mapping[str, str]
    samples: int


def survey(  # noqa: PLR0913, PLR0917 - a model, what may go, data, options
    graph: ModelGraph,
    coupling: Coupling,
    families: Sequence[Family],
    parts: tuple[Data, Data],
    options: ScanOptions | None = None,
    progress: Progress | None = None,
) -> SensitivityScan:
    """Measure the families.

    Args:
        graph: the model, with the facts of shape inference and cost.
        coupling: its groups.
        families: those that may lose groups.
        parts: data to fit on, and others to measure on.
        options: how.
        progress: told of each family.

    Raises:
        RunError: the model cannot be run.
        DataError: the data cannot be read.
    """
    options = options or ScanOptions()
    readers = readers_of(graph, coupling, layers_seen(graph))
    left_out = {
        family.name: reason for family in families if (reason := stays_whole(family, readers[family.name]))
    }
    chosen = [family for family in families if family.name not in left_out]
    if not chosen:
        return SensitivityScan({}, left_out, 0)
    constants = dict(_constants(graph, [reader for family in chosen for reader in readers[family.name]]))
    curves: dict[str, Curve] = {}
    with closing(WeightOverrideSession(graph, constants, Settings(options.costs.threads))) as session:
        rerun = Rerun(session, parts[1], options.costs.batch_size, Bounds(_held_out(graph, options)))
        for family, views in _views(graph, chosen, readers, parts[0], options):
            if progress:
                progress(family.name, len(curves), len(chosen))
            candidates = GroupCandidates(family.name, len(family.groups), views, options.seed)
            order = order_of(options.criterion, candidates)
            curves[family.name] = measured_curve(candidates, order, rerun)
        return SensitivityScan(curves, left_out, rerun.samples)


def _held_out(graph: ModelGraph, options: ScanOptions) -> int:
    """Count of how many samples are measured on, at most."""
    totals = graph[MODEL_COST].totals
    sample = sample_operations(totals.macs + totals.other_flops, len(graph), options.costs.batch_size)
    return fitting_samples(SECONDS, sample)


def _constants(graph: ModelGraph, readers: Sequence[ConsumerLayer]) -> Iterator[tuple[Slot, Constant]]:
    for reader in readers:
        yield reader.weight, reader.layer.constant
        if reader.bias is not None:
            node, place = reader.bias
            yield reader.bias, graph.constants[graph.node(node).inputs[place]]


def _views(
    graph: ModelGraph,
    families: Sequence[Family],
    readers: Mapping[str, Sequence[ConsumerLayer]],
    data: Data,
    options: ScanOptions,
) -> Iterator[tuple[Family, list[LeastSquaresView]]]:
    """Families with their readers, as many at a time as the sums of their readers fit into memory together."""
    for part in _parts(families, readers, options.costs.gram_bytes):
        layers = list(dict.fromkeys(reader.layer for family in part for reader in readers[family.name]))
        sums = input_sums(graph, layers, data, options.costs)
        for family in part:
            yield (
                family,
                [view_of(reader, sums[reader.layer], refit=options.refit) for reader in readers[family.name]],
            )


def _parts(
    families: Sequence[Family], readers: Mapping[str, Sequence[ConsumerLayer]], most: int
) -> Iterator[list[Family]]:
    held: list[Family] = []
    layers: set[RefittableLayer] = set()
    for family in families:
        more = {reader.layer for reader in readers[family.name]}
        if held and sum(map(seen_bytes, layers | more)) > most:
            yield held
            held, layers = [], set()
        held.append(family)
        layers |= more
    yield held
