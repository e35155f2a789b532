"""Reads ``.pt2`` archives, and refuses those that hold pickled objects: loading one runs whatever is in it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nnea_graph.errors import ModelError
from nnea_graph.frontends.torch.export import failing

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_OBJECTS = ("custom_obj_", "opaque_obj_")
_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_pt2(path: Path) -> ExportedProgram:
    """The program of an archive, tensors only.

    Raises:
        ModelError: it cannot be read, or holds more than tensors.
    """
    import torch  # noqa: PLC0415 - takes a second to import

    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot be read: {error}; save it with torch.export.save") from error
    pickled = next((name for name in names if name.startswith(_OBJECTS)), None)
    if pickled is not None:
        raise ModelError(f"holds a pickled object ({pickled}), which could run anything; export it without")
    with _tensors_only():
        program: ExportedProgram = failing(lambda: torch.export.load(path), "torch.export cannot load it")
    return program


@contextmanager
def _tensors_only() -> Iterator[None]:
    """Have torch.load refuse pickles of anything but tensors, also where it is told not to."""
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FORCE]
        else:
            os.environ[_FORCE] = before
