"""Makes a model smaller: survey, choice, cut, refit, proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnx import ModelProto

from nnea_graph.engine.data import Data
from nnea_graph.errors import UsageError
from nnea_graph.graph import ModelGraph
from nnea_graph.report.display_names import called
from nnea_graph.report.schema.pruning import FamilyChoice, PruningReport, SparedPoint, TargetReached
from nnea_graph.report.schema.verification import Agreement, Verification
from nnea_graph.rewrite.candidate_models import ModelBuilder, PrunedModel
from nnea_graph.rewrite.coupling.groups import Coupling, Family, couplings
from nnea_graph.rewrite.options import Pruned, PruneOptions
from nnea_graph.rewrite.selection.allocation import PruningBudget
from nnea_graph.rewrite.selection.consumers import layers_seen, readers_of
from nnea_graph.rewrite.selection.criteria import CRITERIA, GroupCandidates, by_chance
from nnea_graph.rewrite.selection.eligibility import KEPT_ANYWAY, is_kept, steps_by_family
from nnea_graph.rewrite.selection.resource_model import resources_of
from nnea_graph.rewrite.selection.sensitivity_scan import ScanOptions, SensitivityScan, survey
from nnea_graph.rewrite.selection.target_search import TargetSearch
from nnea_graph.rewrite.selection.targets import Target
from nnea_graph.rewrite.source.plan import Plan
from nnea_graph.rewrite.verify.agreement import ORIGINAL, likeness_of
from nnea_graph.rewrite.verify.speedup import speed_of
from nnea_graph.rewrite.verify.verify import PRUNED, verify
from nnea_graph.runtime.data.split import split
from nnea_graph.runtime.export.to_onnx import Written, to_proto
from nnea_graph.runtime.session.session import session_of

LEAST = 1 / 16
"""Of its groups, what every family keeps at least."""
BARE, RANDOM = "without refit", "random channels"

Progress = Callable[[str], None]


def prune_graph(
    graph: ModelGraph, data: Data, options: PruneOptions, progress: Progress | None = None
) -> Pruned:
    """Prune a model with the facts of cost and shape inference.

    The data are split: most to fit on, the rest to choose by and to measure on.

    Raises:
        UsageError: a target needs labels, or an option makes no sense.
        RunError: the model cannot be run.
        DataError: the data cannot be read, or are too few.
    """
    _check(options, data)
    return _Pruning(graph, data, options, progress or (lambda _: None)).pruned()


def _check(options: PruneOptions, data: Data) -> None:
    if options.criterion not in CRITERIA:
        raise UsageError(f"--criterion '{options.criterion}': there is {', '.join(CRITERIA)}")
    if any(target.name == "loss" for target in options.targets) and not data.labeled:
        raise UsageError(
            f"--target loss: {data.source} has no labels; add an array 'labels', or give another target"
        )


class _Pruning:
    """One pruning, step by step: data to fit on, to choose by, to search a loss with, and to measure on."""

    def __init__(self, graph: ModelGraph, data: Data, options: PruneOptions, progress: Progress) -> None:
        self._graph, self._data, self._options, self._tell = graph, data, options, progress
        searched = any(target.name == "loss" for target in options.targets)
        shares = (4, 1, 1, 1) if searched else (4, 1, 2)
        self._fit, self._held, *tried, self._proof = split(data, shares, options.seed)
        self._tried = tried[0] if tried else self._proof
        self._coupling: Coupling = couplings(graph)
        self._families: Mapping[str, Family] = {family.name: family for family in self._coupling.families}
        parts = (self._fit, self._held) if options.refit else None
        self._maker = ModelBuilder(graph, self._coupling, parts, options.costs, self._refitting)
        self._steps = self._measured_steps()

    def _refitting(self, name: str, place: int, count: int) -> None:
        self._tell(f"refit {place + 1}/{count} {name}")

    def pruned(self) -> Pruned:
        """Choose, make, prove."""
        survey = self._surveyed(self._options.criterion)
        counts = self._chosen(survey)
        made = self._maker.made(_orders(survey), counts)
        rivals = self._rivals(survey, made, counts) if self._options.rivals else {}
        self._tell("verification")
        proof = verify(self._graph, made.model, self._proof, rivals, self._options.timing, made.layers)
        plan = Plan(self._graph, made.model, made.kept, counts)
        return Pruned(made.model, plan, self._report(survey, counts, proof), rivals)

    # Choice

    def _measured_steps(self) -> Mapping[str, int]:
        """Multiples of channels to keep, by family."""
        readers = readers_of(self._graph, self._coupling, layers_seen(self._graph))
        self._tell("channel blocks of the runtime")
        return steps_by_family(self._graph, self._coupling.families, readers, self._options.align)

    def _surveyed(self, criterion: str) -> SensitivityScan:
        free = [
            family
            for family in self._families.values()
            if not is_kept(self._graph, family, self._options.keep)
        ]
        options = ScanOptions(criterion, self._options.refit, self._options.seed, self._options.costs)

        def told(name: str, place: int, count: int) -> None:
            self._tell(f"sensitivity {place + 1}/{count} {name}")

        return survey(self._graph, self._coupling, free, (self._fit, self._held), options, told)

    def _chosen(self, survey: SensitivityScan) -> dict[str, int]:
        targets = {target.name: target.value for target in self._options.targets}
        measures = {"latency": self._latency(survey), "loss": self._loss(survey)}
        return TargetSearch(
            self._rooms(survey), resources_of(self._graph, self._coupling), targets, measures
        ).counts()

    def _rooms(self, survey: SensitivityScan) -> list[PruningBudget]:
        return [
            PruningBudget(
                name,
                len(curve.order),
                max(1, round(LEAST * len(curve.order))),
                self._steps[name],
                curve.noise,
            )
            for name, curve in survey.curves.items()
        ]

    def _latency(self, survey: SensitivityScan) -> Callable[[Mapping[str, int]], float]:
        """Latency relative to the original's, at one thread; a refit does not change it."""
        feeds = next(self._proof.batches(self._options.timing.run_samples)).feeds
        original = to_proto(self._graph)

        def measure(counts: Mapping[str, int]) -> float:
            self._tell("latency")
            cut = self._maker.cut(_orders(survey), counts)
            return (
                1 / speed_of(original, Written(cut.bare), feeds, [1], self._options.timing.rounds)[0].speedup
            )

        return measure

    def _loss(self, survey: SensitivityScan) -> Callable[[Mapping[str, int]], float]:
        """Loss of accuracy, on samples that nothing else is done with."""
        original = session_of(to_proto(self._graph))

        def measure(counts: Mapping[str, int]) -> float:
            made = self._maker.made(_orders(survey), counts)
            models = {PRUNED: session_of(Written(made.model))}
            found, _ = likeness_of(original, models, self._tried.batches(self._options.costs.batch_size))
            return lost_accuracy(found) or 0.0

        return measure

    # Comparison

    def _rivals(
        self, survey: SensitivityScan, made: PrunedModel, counts: Mapping[str, int]
    ) -> dict[str, ModelProto]:
        if not made.kept:
            return {}
        other = {
            name: by_chance(GroupCandidates(name, len(curve.order), (), self._options.seed))
            for name, curve in survey.curves.items()
        }
        rivals = {BARE: made.bare} if self._options.refit else {}
        if self._options.criterion != "random":
            rivals[RANDOM] = self._maker.made(other, counts).model
        return rivals

    # Report

    def _report(
        self, survey: SensitivityScan, counts: Mapping[str, int], proof: Verification
    ) -> PruningReport:
        pinned = {pin.layer: pin.reason for pin in self._coupling.pinned}
        named = [
            *(layer for family in self._families.values() for layer in (family.name, *family.layers)),
            *pinned,
            *(layer.node for layer in proof.layers),
        ]
        return PruningReport(
            model=self._graph.info.path,
            criterion=self._options.criterion,
            refit=self._options.refit,
            seed=self._options.seed,
            data=self._data.source,
            fitted=self._fit.samples,
            targets=tuple(_reached(target, proof) for target in self._options.targets),
            families=tuple(self._choice(family, survey, counts) for family in self._families.values()),
            pinned=pinned,
            verification=proof,
            called=called(self._graph, named),
        )

    def _choice(self, family: Family, survey: SensitivityScan, counts: Mapping[str, int]) -> FamilyChoice:
        curve = survey.curves.get(family.name)
        groups = len(family.groups)
        reason = survey.left_out.get(family.name, "" if curve else KEPT_ANYWAY)
        points = () if curve is None else curve.points
        return FamilyChoice(
            family.name,
            family.layers,
            groups,
            counts.get(family.name, groups),
            self._steps[family.name],
            reason,
            tuple(
                SparedPoint(
                    each.removed, each.change.relative_l2, each.change.accuracy, each.change.agreement
                )
                for each in points
            ),
        )


def _orders(survey: SensitivityScan) -> Mapping[str, Sequence[int]]:
    return {name: curve.order for name, curve in survey.curves.items()}


def _reached(target: Target, proof: Verification) -> TargetReached:
    found = _found(target.name, proof)
    return TargetReached(target.name, target.value, found, found is not None and found <= target.value + 1e-9)


def _found(name: str, proof: Verification) -> float | None:
    """Value that the verification says of a target."""
    before, after = proof.original, proof.pruned
    if name == "params":
        return _share(before.parameters, after.parameters)
    if name == "macs":
        return _share(before.macs, after.macs)
    if name == "latency":
        return 1 / proof.speed[0].speedup if proof.speed else None
    return lost_accuracy(proof.likeness)


def _share(before: int | None, after: int | None) -> float | None:
    return after / before if before and after is not None else None


def lost_accuracy(likeness: Sequence[Agreement]) -> float | None:
    """The original's less the pruned model's; None where it is not known."""
    found = {each.model: each.accuracy for each in likeness}
    before, after = found.get(ORIGINAL), found.get(PRUNED)
    return None if before is None or after is None else before - after
