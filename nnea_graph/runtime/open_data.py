"""Opens what the user gives as data: a file, a folder, a function, arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnea_graph.engine.data import Batch, Data
from nnea_graph.errors import DataError
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.chunked import ChunkedData, parted_list
from nnea_graph.runtime.data.folders import array_data, array_files, file_columns, set_data
from nnea_graph.runtime.data.image_folders import has_images, image_data
from nnea_graph.runtime.data.onnx_test_data import set_folders
from nnea_graph.runtime.data.preprocess import Preprocess, parse_preprocess
from nnea_graph.runtime.data.samples import part_of
from nnea_graph.runtime.data.to_numpy import columns_of, is_whole
from nnea_graph.runtime.data.user_loader import loaded, loader_of
from nnea_graph.runtime.synthetic.samples import synthetic_data

__all__ = ["Batch", "Data", "Spec", "open_data", "synthetic_data"]

Spec = str | Path | Mapping[str, Any] | NDArray[Any] | Callable[[], object] | Iterable[object]
"""A path, ``file.py:function``, arrays by input name, one array, a tuple of inputs and then perhaps labels, a
function that yields, or an iterable of batches."""

Inputs = Mapping[str, TensorInfo]


def open_data(
    spec: Spec,
    inputs: Inputs,
    *,
    samples: int | None = None,
    seed: int = 0,
    preprocess: str | None = None,
) -> Data:
    """Data for the model's inputs (with symbols, see ``dims.symbolic_inputs``).

    Args:
        spec: what to read.
        inputs: type and shape of each input.
        samples: read the first so many only.
        seed: of no influence so far: the first samples are taken, none is drawn.
        preprocess: how pixels become numbers, see ``parse_preprocess``.

    Raises:
        DataError: names, ranks, dims, types or numbers of samples do not fit; values are checked when read.
        UsageError: ``preprocess`` or ``samples`` makes no sense.
    """
    del seed
    settings = parse_preprocess(preprocess) if preprocess else None
    if isinstance(spec, str | Path):
        loader = loader_of(str(spec))
        if loader is not None:
            return loaded(str(spec), loader, inputs, samples, settings)
        return _opened(Path(spec), inputs, samples, settings)
    if is_whole(spec):
        columns = columns_of(spec, inputs, "data")
        return parted_list("arrays", [part_of(columns, inputs, "data", settings)], samples)
    return loaded(_title(spec), spec, inputs, samples, settings)


def _title(spec: object) -> str:
    return getattr(spec, "__name__", type(spec).__name__)


def _opened(
    path: Path,
    inputs: Inputs,
    samples: int | None,
    settings: Preprocess | None,
) -> ChunkedData:
    if path.is_dir():
        if set_folders(path):
            return set_data(path, inputs, samples, settings)
        if array_files(path):
            return array_data(path, inputs, samples, settings)
        if has_images(path):
            return image_data(path, inputs, settings, samples)
        raise DataError(f"--data {path}: the folder holds no .npz, .npy, test_data_set_* or image")
    if not path.exists():
        raise DataError(f"--data {path}: there is no such file or folder")
    if path.suffix not in {".npz", ".npy"} or not path.is_file():
        raise DataError(f"--data {path}: wanted is .npz, .npy, a folder, or file.py:function")
    columns = file_columns(path, inputs)
    return parted_list(str(path), [part_of(columns, inputs, str(path), settings)], samples)
