"""Makes a model smaller without changing what it gives, and proves it by running both."""

from __future__ import annotations

from nnea_graph.engine.data import Data
from nnea_graph.errors import RunError
from nnea_graph.frontends.onnx.graph import derived_graph
from nnea_graph.graph import ModelGraph
from nnea_graph.report.display_names import called
from nnea_graph.report.schema.lossless import ExactRemoval
from nnea_graph.report.schema.pruning import PruningReport, TargetReached
from nnea_graph.rewrite.lossless.equivalence import LIMIT, Difference, difference
from nnea_graph.rewrite.lossless.fixpoint import Reduced, reduced
from nnea_graph.rewrite.options import Pruned, PruneOptions
from nnea_graph.rewrite.prune import Progress
from nnea_graph.rewrite.selection.targets import EXACT
from nnea_graph.rewrite.source.plan import Plan
from nnea_graph.rewrite.verify.verify import verify
from nnea_graph.runtime.export.to_onnx import Written, to_proto
from nnea_graph.runtime.session.session import session_of


def prune_exactly(
    graph: ModelGraph, data: Data, options: PruneOptions, progress: Progress | None = None
) -> Pruned:
    """Take out what changes no output: channels that do nothing, and tensors that are stored twice.

    ``data`` are only run on: nothing is fitted. Where outputs differ by more than rounding the report says so
    (``report.met`` is False).

    Raises:
        RunError: the model cannot be run.
        DataError: the data cannot be read.
    """
    tell = progress or (lambda _: None)
    found = reduced(graph, options.keep, tell)
    tell("verification")
    proof = verify(graph, found.model, data, options=options.timing)
    apart = None if proof.faults else _difference(graph, found, data, options.timing.batch_size)
    limit = LIMIT if apart is None else apart.limit
    largest = None if apart is None else apart.largest
    report = PruningReport(
        model=graph.info.path,
        criterion=EXACT,
        refit=False,
        seed=options.seed,
        data=data.source,
        fitted=0,
        targets=(TargetReached(EXACT, limit, largest, largest is not None and largest <= limit),),
        families=(),
        pinned={},
        verification=proof,
        called=called(
            graph, (name for each in found.families.values() for name in (each.family, *each.layers))
        ),
        exact=ExactRemoval(
            found.rounds,
            tuple(found.families.values()),
            tuple(found.tensors),
            _stored(graph) - _stored(derived_graph(found.model, graph)),
        ),
    )
    return Pruned(found.model, Plan(graph, found.model, found.kept, {}), report, {})


def _difference(graph: ModelGraph, found: Reduced, data: Data, batch_size: int) -> Difference | None:
    """None where the smaller model cannot be run, which the verification has told."""
    original = session_of(to_proto(graph))
    try:
        model = session_of(Written(found.model))
    except RunError:
        return None
    return difference(original, model, data.batches(batch_size))


def _stored(graph: ModelGraph) -> int:
    return sum(constant.stored_bytes for constant in graph.constants.values())
