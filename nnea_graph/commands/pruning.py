"""``nnea-graph prune``: make one model smaller, and say what came of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnea_graph.errors import OutputError, UsageError
from nnea_graph.frontends.limits import Limits
from nnea_graph.inference.shape_text import parse_input_shape
from nnea_graph.pruner import prune
from nnea_graph.render.files import standard_output, whole_file
from nnea_graph.render.json import json_pieces
from nnea_graph.report.schema_choice import PruningReport

_MOST_BYTES = 2_000_000_000
"""Of a model in one file."""


def prune_model(source: str, **options: Any) -> int:
    """Prune and write; the exit code says whether every target was met."""
    output: Path | None = options["output"]
    if output is not None:
        _check_output(output, source, force=options["force"])
    if not options["data"]:
        raise UsageError(
            "--data: what to fit, choose and measure on is needed: .npz, a folder, or file.py:function"
        )
    shapes = {each.name or "": each.dims for each in map(parse_input_shape, options["shapes"])}
    found = prune(
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
        dims=_dims(options["dims"]),
        input_shapes=shapes,
        limits=Limits.with_text(options["limits"]),
        allow_external=options["allow_external"],
        run_samples=options["run_samples"],
        rounds=options["rounds"],
        progress=None if options["quiet"] or options["no_progress"] or not sys.stderr.isatty() else _tell,
    )
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
    if output is not None and not found.report.verification.faults:
        with whole_file(output) as file:
            file.write(found.model.SerializeToString())
    _write(found.report, options["format"], output)
    return 0 if found.report.met else 1


def _check_output(output: Path, source: str, *, force: bool) -> None:
    """Before anything is done for it."""
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise OutputError(
            f"-o {output}: that is the model itself, which is never written over; give another file"
        )
    if output.exists() and not force:
        raise OutputError(f"-o {output}: there is such a file; --force replaces it")
    if not output.absolute().parent.is_dir():
        raise OutputError(f"-o {output}: there is no folder {output.absolute().parent}")


def _dims(texts: tuple[str, ...]) -> Mapping[str, int]:
    found = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name or not number.isdigit():
            raise UsageError(f"--dim '{text}': write name=number, e.g. --dim batch=8")
        found[name] = int(number)
    return found


def _tell(text: str) -> None:
    sys.stderr.write(f"\r\x1b[2K{text}")
    sys.stderr.flush()


def _write(report: PruningReport, form: str, output: Path | None) -> None:
    with standard_output() as stdout:
        if form == "json":
            stdout.writelines(json_pieces(report))
            return
        from nnea_graph.render.text_choice import print_pruning  # noqa: PLC0415 - rich costs 0.1 s

        print_pruning(report, stdout, str(output) if output is not None else "")
