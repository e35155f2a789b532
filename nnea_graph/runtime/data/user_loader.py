"""The user's own code as data: a function or iterable that yields arrays, batch by batch."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from nnea_graph.errors import DataError, blaming
from nnea_graph.graph import TensorInfo
from nnea_graph.runtime.data.chunked import ChunkedData, parted, parted_list
from nnea_graph.runtime.data.preprocess import Preprocess
from nnea_graph.runtime.data.samples import SampleBlock, part_of
from nnea_graph.runtime.data.tf_data import batched, is_endless, is_pipeline
from nnea_graph.runtime.data.to_numpy import columns_of, is_array

MOST_SAMPLES = 10_000
"""Of data that do not tell how many they are, unless told."""
_SPEC = re.compile(r"(?P<file>.+\.py):(?P<function>\w+)")


def loader_of(text: str) -> Callable[[], object] | None:
    """The function that ``file.py:function`` names; None where the text is no such name.

    The file is run: it is the user's own.

    Raises:
        DataError: the file or the function is not there, or running the file fails.
    """
    found = _SPEC.fullmatch(text)
    if found is None:
        return None
    path = Path(found["file"])
    if not path.is_file():
        raise DataError(f"--data {text}: there is no file {path}")
    function = getattr(_module(path), found["function"], None)
    if not callable(function):
        raise DataError(f"--data {text}: {path} has no function '{found['function']}'")
    loader: Callable[[], object] = function
    return loader


def _module(path: Path) -> object:
    name = f"_nnea_graph_data_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    sys.path.append(str(path.parent.absolute()))  # for what the file imports from beside it
    with blaming(path, DataError):
        spec.loader.exec_module(module)
    return module


def loaded(
    source: str,
    loader: Callable[[], object] | Iterable[object],
    inputs: Mapping[str, TensorInfo],
    limit: int | None,
    settings: Preprocess | None,
) -> ChunkedData:
    """Samples that a function yields, or an iterable that can be started again (list, DataLoader, tf.data).

    Each item is a batch: a dict of arrays, an array, or a tuple of inputs and then perhaps labels. A pipeline of
    tf.data may have single samples, too.

    Raises:
        DataError: an item is none of these or does not fit the model, there is no end, or the user's code fails.
    """

    def part(item: object, place: str) -> SampleBlock:
        return part_of(columns_of(item, inputs, place), inputs, place, settings)

    def parts() -> Iterator[SampleBlock]:
        for number, item in enumerate(_items(loader, source)):
            yield part(item, f"{source}, batch {number}")

    given = _given(loader, source)
    if _is_whole(given):
        return parted_list(source, [part(given, source)], limit)
    if limit is None and is_pipeline(loader) and is_endless(loader):
        raise DataError(
            f"{source} repeats without end; say how many samples to use, or take(…) as many batches"
        )
    if limit is None and not _tells_its_length(given):
        return parted(f"{source}, at most {MOST_SAMPLES:,} samples", parts, None, MOST_SAMPLES)
    return parted(source, parts, None, limit)


def first_item(source: str, loader: Callable[[], object] | Iterable[object]) -> object:
    """The first batch that it yields, or all data where it returns them at once.

    Raises:
        DataError: it yields nothing, or the user's code fails.
    """
    given = _given(loader, source)
    if _is_whole(given):
        return given
    for item in _items(loader, source):
        return item
    raise DataError(f"{source} yields nothing; give at least one batch")


def _given(loader: Callable[[], object] | Iterable[object], source: str) -> object:
    """Iterable that can be iterated, or all data at once, where the function returns it instead of yielding."""
    if not callable(loader):
        if isinstance(loader, Iterator):
            raise DataError(f"{source} can be read only once; give the function that makes it instead")
        return loader
    result = _called(loader, source)
    if not isinstance(result, Iterable) and not _is_whole(result):
        raise DataError(f"{source} gives {type(result).__name__}; it should yield dicts of arrays")
    return result


def _is_whole(given: object) -> bool:
    return isinstance(given, Mapping | tuple) or is_array(given)


def _tells_its_length(given: object) -> bool:
    """Tells whether it has an end for sure; a generator may have none."""
    if is_pipeline(given):
        return True
    try:
        return len(given) >= 0  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - the user's own code, e.g. a DataLoader of a stream
        return False


def _called(loader: Callable[[], object], source: str) -> object:
    with blaming(source, DataError):
        return loader()


def _items(loader: Callable[[], object] | Iterable[object], source: str) -> Iterator[object]:
    result = _called(loader, source) if callable(loader) else loader
    if not isinstance(result, Iterable):
        raise DataError(f"{source} gives {type(result).__name__}; it should yield dicts of arrays")
    with blaming(source, DataError):
        items = iter(batched(result) if is_pipeline(result) else result)
    while True:
        with blaming(source, DataError):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
