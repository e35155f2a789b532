"""PruneOptions and Pruned: what a pruning is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnx import ModelProto

from nnea_graph.report.schema.pruning import PruningReport
from nnea_graph.rewrite.refit.options import RefitOptions
from nnea_graph.rewrite.selection.criteria import DEFAULT
from nnea_graph.rewrite.selection.targets import Target
from nnea_graph.rewrite.source.plan import Plan
from nnea_graph.rewrite.verify.verify import VerifyOptions


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """Request of a pruning: what is wanted (``targets``), and how.

    ``keep`` are patterns of layers (operator ids or source modules) whose channels stay; ``align`` is ``auto`` or a
    number whose multiples are kept; ``rivals`` has models of the same size without refit and with channels chosen
    at random made for comparison.
    """

    targets: tuple[Target, ...]
    criterion: str = DEFAULT
    refit: bool = True
    keep: tuple[str, ...] = ()
    align: str = "auto"
    seed: int = 0
    rivals: bool = True
    costs: RefitOptions = field(default_factory=RefitOptions)
    timing: VerifyOptions = field(default_factory=VerifyOptions)


@dataclass(frozen=True, slots=True)
class Pruned:
    """The smaller model, what was done (to do to its source as well), and what came of it.

    ``rivals`` are the models of the same size that it is compared with, by what is said of them.
    """

    model: ModelProto
    plan: Plan
    report: PruningReport
    rivals: Mapping[str, ModelProto]
