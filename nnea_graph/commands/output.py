"""Where a smaller model goes: into its file, and its weights beside it where they need a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnea_graph.commands.options import check_output
from nnea_graph.errors import OutputError
from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.render.output_files import whole_file, whole_pair

if TYPE_CHECKING:
    from nnea_graph.rewrite.options import Pruned


def data_path(output: Path) -> Path:
    """The file of weights that belongs to a model file.

    >>> data_path(Path("small.onnx")).name
    'small.onnx.data'
    """
    return output.with_name(f"{output.name}.data")


def check_outputs(output: Path, source: str, *, force: bool, **reading: Any) -> None:
    """Before anything is done for them; ``reading`` are the options that the source is read with.

    Raises:
        OutputError: one of them is the source or of it, there already, or cannot be made there.
    """
    check_output(output, source, force=force)
    beside = data_path(output)
    if beside.exists() and not force:
        raise OutputError(
            f"-o {output}: there is {beside.name}, where its weights may go; --force replaces it"
        )
    there = [each for each in (output, beside) if each.exists()]
    if not there or not Path(source).is_file() or Path(source).suffix != ".onnx":
        return
    found = data_files(Path(source), **reading)
    for each in there:
        if any(other.samefile(each) for other in found):
            raise OutputError(f"-o {output}: {each.name} has weights of the model itself; give another name")
    if found and output.exists() and not output.is_file():
        raise OutputError(f"-o {output}: the weights go beside it, as those of the model; give a plain file")


def data_files(source: Path, **reading: Any) -> list[Path]:
    """The files beside a model that its weights lie in."""
    file = load_onnx(source, **reading).file
    return [source.parent / each for each in file.external_locations] if isinstance(file, OnnxFile) else []


def save(found: Pruned, output: Path) -> str:
    """Write the model whole or not at all, its weights apart as in the original, or where one file cannot hold them.

    Returns:
        Where it is, in words.

    Raises:
        OutputError: it cannot be written; nothing is left behind.
    """
    from nnea_graph.rewrite.surgery.external_data import in_two_files  # noqa: PLC0415 - only with -o
    from nnea_graph.runtime.export.large_models import is_large  # noqa: PLC0415 - as above

    original = found.plan.original.file
    apart = isinstance(original, OnnxFile) and bool(original.external_locations)
    if not apart and not is_large(found.model):
        with whole_file(output) as file:
            file.write(found.model.SerializeToString())
        return str(output)
    beside = data_path(output)
    parts = in_two_files(found.model, beside.name)
    with whole_pair(output, beside) as (file, weights):
        file.write(parts.model.SerializeToString())
        weights.writelines(parts.pieces())
    return f"{output}, its weights to {beside.name}"
