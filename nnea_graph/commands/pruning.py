"""``nnea-graph prune``: make one model smaller, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnea_graph.commands.arguments import check_output, named_dims
from nnea_graph.commands.progress import progress
from nnea_graph.errors import UsageError
from nnea_graph.frontends.limits import Limits
from nnea_graph.inference.shape_text import parse_input_shape
from nnea_graph.pruner import prune
from nnea_graph.render.files import standard_output, whole_file
from nnea_graph.render.json import json_pieces
from nnea_graph.report.schema_choice import PruningReport

if TYPE_CHECKING:
    from nnea_graph.rewrite.prune import Pruned


def prune_model(source: str, **options: Any) -> int:
    """Prune and write; the exit code says whether every target was met."""
    output: Path | None = options["output"]
    if output is not None:
        check_output(output, source, force=options["force"])
    if not options["data"]:
        raise UsageError(
            "--data: what to fit, choose and measure on is needed: .npz, a folder, or file.py:function"
        )
    shapes = {each.name or "": each.dims for each in map(parse_input_shape, options["shapes"])}
    with progress(shown=not (options["quiet"] or options["no_progress"])) as line:
        found = _pruned(source, shapes, options, line.write if line else None)
    written = None if found.report.verification.faults else output
    if written is not None:
        with whole_file(written) as file:
            file.write(found.model.SerializeToString())
    _write(found.report, options["format"], written)
    return 0 if found.report.met else 1


def _pruned(
    source: str,
    shapes: Mapping[str, Sequence[int]],
    options: Mapping[str, Any],
    tell: Callable[[str], None] | None,
) -> Pruned:
    return prune(
        source,
        options["data"],
        options["targets"],
        criterion=options["criterion"],
        refit=not options["no_refit"],
        keep=options["keep"],
        align=options["align"],
        seed=options["seed"],
        batch_size=options["batch_size"],
        samples=options["samples"],
        preprocess=options["preprocess"],
        dims=named_dims(options["dims"]),
        input_shapes=shapes,
        limits=Limits.with_text(options["limits"]),
        allow_external=options["allow_external"],
        run_samples=options["run_samples"],
        rounds=options["rounds"],
        progress=tell,
    )


def _write(report: PruningReport, form: str, output: Path | None) -> None:
    with standard_output() as stdout:
        if form == "json":
            stdout.writelines(json_pieces(report))
            return
        from nnea_graph.render.text_choice import print_pruning  # noqa: PLC0415 - rich costs 0.1 s

        print_pruning(report, stdout, str(output) if output is not None else "")
