"""``prune``: a smaller model of any source, verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnea_graph.api.request import AnalysisRequest
from nnea_graph.engine.data import Data
from nnea_graph.errors import LimitError, ModelError, UsageError, naming
from nnea_graph.frontends.resolve import Shapes
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph
from nnea_graph.report.units import binary

if TYPE_CHECKING:
    from nnea_graph.report.schema.pruning_plan import PruningPlan
    from nnea_graph.rewrite.options import Pruned
    from nnea_graph.runtime.open_data import Spec

DEFAULT = "reconstruction"
SAMPLES = 16
"""Made up to prove an exact removal on, unless told."""


def prune(  # noqa: PLR0913 - the options of the command line
    source: object,
    data: Spec | None,
    target: str | Sequence[str],
    *,
    criterion: str = DEFAULT,
    refit: bool = True,
    keep: Sequence[str] = (),
    align: str | int = "auto",
    seed: int = 0,
    batch_size: int = 32,
    samples: int | None = None,
    preprocess: str | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Shapes | None = None,
    limits: Limits | None = None,
    allow_external: Path | None = None,
    run_samples: int = 1,
    rounds: int = 30,
    rivals: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Pruned:
    """Make a model smaller: whole channels go, what reads them is solved again, the result is run beside the original.

    Args:
        source: as for ``analyze``.
        data: what to fit, choose and measure on; split, so that nothing is measured on what was fitted. None only for
            the target ``"exact"``, which is then proved on seeded random inputs.
        target: what is to remain of the original, ``"params=0.3"``, ``"macs=0.5"``, ``"latency=0.5"`` (measured), or
            what may be lost of the accuracy, ``"loss=0.5%"`` (with labels); one or several. Or ``"exact"`` alone: only
            what changes no output goes (channels that are dead, constant, repeated or never read, tensors stored
            twice), and nothing is chosen, aligned or refitted.
        criterion: what channels are ranked by: reconstruction, spread, importance, magnitude, random.
        refit: whether what reads them is solved again.
        keep: patterns of layers or modules whose channels stay.
        align: multiples of this number of channels are kept; ``"auto"`` measures what the runtime gains by.
        seed: of everything drawn.
        batch_size: samples a run.
        samples: the first so many of the data only.
        preprocess: how images become inputs.
        dims: numbers for symbolic dims.
        input_shapes: shapes of whole inputs; "" names the only one.
        limits: how large a model may be.
        allow_external: folder that links to external data may lead to.
        run_samples: samples of one run whose latency is measured.
        rounds: how often it is.
        rivals: also make models of the same size without refit and with channels chosen at random, to compare.
        progress: told what is being done.

    Returns:
        The smaller ``model``, the ``plan`` (``plan.apply_to(module)``) and the ``report``. Where a target cannot be
        met, ``report.met`` is False and the model is the nearest.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """
    from nnea_graph.passes.activations import made_up  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.lossless.prune import prune_exactly  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.options import PruneOptions  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.prune import prune_graph  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.refit.options import RefitOptions  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.selection.targets import is_exact, parse_targets  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.verify.verify import VerifyOptions  # noqa: PLC0415 - start-up

    wanted = [target] if isinstance(target, str) else target
    exact = is_exact(wanted)
    options = PruneOptions(
        () if exact else parse_targets(wanted),
        criterion,
        refit,
        tuple(keep),
        str(align),
        seed,
        rivals,
        RefitOptions(batch_size=batch_size, seed=seed),
        VerifyOptions(batch_size=batch_size, run_samples=run_samples, rounds=rounds),
    )
    request = AnalysisRequest(
        source=source,
        data=data,
        passes="cost",
        dims=dims or {},
        input_shapes=input_shapes or {},
        limits=limits or Limits(),
        allow_external=allow_external,
        may_run=False,
        samples=samples,
        preprocess=preprocess,
        seed=seed,
    )
    graph, found = _opened(request)
    _check_memory(graph, request.limits)
    with naming(graph.info.path):
        if exact:
            return prune_exactly(graph, found or made_up(graph, samples or SAMPLES, seed), options, progress)
        if found is None:
            raise UsageError("there are no data to fit, choose and measure on")
        return prune_graph(graph, found, options, progress)


def prune_plan(  # noqa: PLR0913 - the options of the command line
    source: object,
    data: Spec | None = None,
    *,
    keep: Sequence[str] = (),
    align: str | int = "auto",
    seed: int = 0,
    samples: int | None = None,
    preprocess: str | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Shapes | None = None,
    limits: Limits | None = None,
    allow_external: Path | None = None,
    run_samples: int = 1,
    rounds: int = 30,
    may_run: bool = True,
    progress: Callable[[str], None] | None = None,
) -> PruningPlan:
    """Say what could go of a model, before anything is chosen: groups of channels, and what each would save.

    Args:
        source: as for ``analyze``.
        data: what to run on for the latency; None is seeded random inputs.
        keep: patterns of layers or modules whose channels stay.
        align: as for ``prune``.
        seed: of random inputs.
        samples: the first so many of the data only.
        preprocess: how images become inputs.
        dims: numbers for symbolic dims.
        input_shapes: shapes of whole inputs; "" names the only one.
        limits: how large a model may be.
        allow_external: folder that links to external data may lead to.
        run_samples: samples of one run whose latency is measured.
        rounds: how often it is, for each family.
        may_run: False keeps onnxruntime out: no latency, and ``align="auto"`` is steps of 1.
        progress: told what is being done.

    Raises:
        NneaError: one line that says what is wrong and what to do.
    """
    from nnea_graph.passes.activations import made_up  # noqa: PLC0415 - start-up
    from nnea_graph.rewrite.preview.plan import PlanOptions, plan_graph  # noqa: PLC0415 - start-up

    request = AnalysisRequest(
        source=source,
        data=data,
        passes="cost",
        dims=dims or {},
        input_shapes=input_shapes or {},
        limits=limits or Limits(),
        allow_external=allow_external,
        may_run=False,
        samples=samples,
        preprocess=preprocess,
        seed=seed,
    )
    graph, found = _opened(request)
    with naming(graph.info.path):
        if found is None and may_run:
            found = made_up(graph, run_samples, seed)
        options = PlanOptions(tuple(keep), str(align), run_samples, rounds, request.limits.activation_bytes)
        return plan_graph(graph, found if may_run else None, options, progress)


def _opened(request: AnalysisRequest) -> tuple[ModelGraph, Data | None]:
    """A model with the facts that pruning needs, and its data where there are some."""
    opened = request.open()
    graph = opened.graph
    _check_held(graph)
    results = opened.run()
    with naming(graph.info.path):
        failed = next((each for each in results if each.status != "ok"), None)
        if failed is not None:
            raise ModelError(
                f"pass '{failed.name}' {failed.status}: {failed.reason}; there is nothing to prune by"
            )
    return graph, opened.context.data


def _check_held(graph: ModelGraph) -> None:
    """Checks that what cannot be handed over apart fits into one message."""
    from nnea_graph.runtime.export.large_models import MESSAGE_BYTES, held_inside  # noqa: PLC0415 - start-up

    inside = held_inside(graph)
    if inside > MESSAGE_BYTES:
        raise LimitError(
            f"{graph.info.path}: has {binary(inside)} of weights in Constant operators, bfloat16 or types of fewer"
            f" than 8 bits; of these, a model that is pruned cannot have more than {binary(MESSAGE_BYTES)}"
        )


def _check_memory(graph: ModelGraph, limits: Limits) -> None:
    """The models that are compared, and their sessions, hold the weights each for itself."""
    stored = sum(constant.stored_bytes for constant in graph.constants.values())
    if stored > limits.pruned_bytes:
        raise LimitError(
            f"{graph.info.path}: has {binary(stored)} of weights, over {binary(limits.pruned_bytes)}; pruning takes up"
            f" to 15 times that in memory: where it is there, raise it with --limit pruned_bytes={stored}"
        )
