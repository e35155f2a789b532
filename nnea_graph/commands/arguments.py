"""What several commands take alike: dims by name, and a model file to write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nnea_graph.errors import OutputError, UsageError


def named_dims(texts: Sequence[str]) -> dict[str, int]:
    """The numbers of ``--dim name=number``.

    >>> named_dims(["batch=8", "a=b=2"])
    {'batch': 8, 'a=b': 2}
    """
    dims = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name or not re.fullmatch("[0-9]{1,19}", number):
            raise UsageError(f"--dim '{text}': write name=number, e.g. --dim batch=8")
        dims[name] = int(number)
    return dims


def check_output(output: Path, source: str, *, force: bool) -> None:
    """Before anything is done for it.

    Raises:
        OutputError: it is the source, there already, or in no folder.
    """
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise OutputError(
            f"-o {output}: that is the model itself, which is never written over; give another file"
        )
    if output.exists() and not force:
        raise OutputError(f"-o {output}: there is such a file; --force replaces it")
    if not output.absolute().parent.is_dir():
        raise OutputError(f"-o {output}: there is no folder {output.absolute().parent}")
