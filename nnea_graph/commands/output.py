"""Writes a smaller model into its file, and its weights beside it where they need a file of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnea_graph.errors import OutputError, UsageError
from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.render.output_files import is_stream, write_output, write_outputs

if TYPE_CHECKING:
    from nnea_graph.rewrite.options import Pruned


def _data_path(output: Path, number: int) -> Path:
    """The files of weights that may belong to a model file.

    >>> [_data_path(Path("small.onnx"), number).name for number in (0, 1)]
    ['small.onnx.data', 'small.onnx.1.data']
    """
    return output.with_name(f"{output.name}.{number}.data" if number else f"{output.name}.data")


def data_paths(output: Path) -> list[Path]:
    """Those that are there."""
    numbered = re.compile(re.escape(output.name) + r"(\.[1-9][0-9]*)?\.data")
    with suppress(OSError):
        return sorted(each for each in output.parent.iterdir() if numbered.fullmatch(each.name))
    return []


def _free_data_path(output: Path) -> Path:
    places = (_data_path(output, number) for number in count())
    return next(place for place in places if not os.path.lexists(place))


def check_output(output: Path, source: str, *, force: bool) -> None:
    """Checks the place of an output before anything is computed.

    Raises:
        OutputError: it is the source, there already, or in no folder.
    """
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise OutputError(
            f"-o {output}: output equals input; in-place writing is not supported, give another file"
        )
    if output.is_dir():
        raise OutputError(f"-o {output}: is a folder; give a file")
    if os.path.lexists(output) and not force:
        raise OutputError(f"-o {output}: file exists; use --force to overwrite")
    if not output.absolute().parent.is_dir():
        raise OutputError(f"-o {output}: there is no folder {output.absolute().parent}")


def check_outputs(output: Path, source: str, *, force: bool, **reading: Any) -> None:
    """Checks the places of the outputs before anything is computed; ``reading`` are the options of the source.

    Raises:
        OutputError: one of them is the source or of it, there already, or cannot be made there.
    """
    check_output(output, source, force=force)
    beside = data_paths(output)
    if beside and not force:
        raise OutputError(
            f"-o {output}: file {beside[0].name} exists, which may hold its weights; use --force to overwrite"
        )
    there = [each for each in (output, *beside) if each.exists()]
    if not there or not Path(source).is_file() or Path(source).suffix != ".onnx":
        return
    found = data_files(Path(source), **reading)
    for each in there:
        if any(other.samefile(each) for other in found):
            raise OutputError(f"-o {output}: {each.name} holds weights of the input model; give another name")
    if found and output.exists() and not output.is_file():
        raise OutputError(f"-o {output}: the weights go beside it, as those of the model; give a plain file")


def check_reports(
    files: Sequence[Path], folder: Sequence[Path], inputs: Sequence[str], *, force: bool, **reading: Any
) -> None:
    """Checks the places of reports in ``files``, and of those in the folder of ``-o``, before anything is computed.

    ``inputs`` are the model, which ``reading`` are the options of, and the data.

    Raises:
        UsageError: two of them are one.
        OutputError: one is an input, there already without ``force``, or cannot be made there.
    """
    places = [path.resolve() for path in (*files, *folder) if not is_stream(path)]
    if len(set(places)) < len(places):
        twice = next(path for path in files if places.count(path.resolve()) > 1)
        raise UsageError(f"{twice}: two outputs would be one file; give each its own")
    there = [path for path in (*files, *folder) if path.is_file()]
    for path in there:
        if any(each and Path(each).exists() and path.samefile(each) for each in inputs):
            raise OutputError(f"{path}: that is what the report is made of; give another file")
    for path in files:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; give a file")
        if os.path.lexists(path) and not is_stream(path) and not force:
            raise OutputError(f"{path}: file exists; use --force to overwrite")
    source = Path(inputs[0])
    older = [path for path in files if path in there]
    if not older or not source.is_file() or source.suffix != ".onnx":
        return
    beside = [each for each in data_files(source, **reading) if each.exists()]
    for path in older:
        if any(path.samefile(each) for each in beside):
            raise OutputError(f"{path}: has weights of the model itself; give another file")


def data_files(source: Path, **reading: Any) -> list[Path]:
    """The files beside a model that its weights lie in."""
    file = load_onnx(source, **reading).file
    return [source.parent / each for each in file.external_locations] if isinstance(file, OnnxFile) else []


def save(found: Pruned, output: Path, *, force: bool) -> str:
    """Write the model whole or not at all, its weights apart as in the original, or where one file cannot hold them.

    New weights never come over older ones: they get a file of another name, so that at any point the model, older or
    new, has its own; the older ones go last.

    Returns:
        Where it is, in words.

    Raises:
        OutputError: it cannot be written; nothing new is left behind.
    """
    from nnea_graph.rewrite.surgery.external_data import in_two_files  # noqa: PLC0415 - only with -o
    from nnea_graph.runtime.export.large_models import is_large  # noqa: PLC0415 - as above

    original = found.plan.original.file
    apart = isinstance(original, OnnxFile) and bool(original.external_locations)
    if not apart and not is_large(found.model):
        write_output(output, [found.model.SerializeToString()], force=force)
        return str(output)
    beside = _free_data_path(output)
    parts = in_two_files(found.model, beside.name)
    files: dict[Path, Iterable[bytes] | None] = {
        beside: parts.pieces(),
        output: [parts.model.SerializeToString()],
    }
    older = [each for each in data_paths(output) if each.is_file()] if force else []
    write_outputs(files | dict.fromkeys(older), force=force, seal=output)
    return f"{output}, its weights to {beside.name}"
