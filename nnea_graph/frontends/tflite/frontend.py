"""TensorFlow Lite: ``.tflite`` files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.frontends.shared.interface import Arrays, ConvertedModel, Example, InputSpec
from nnea_graph.frontends.shared.user_code import missing
from nnea_graph.frontends.tflite.client import ask
from nnea_graph.graph.model import Note


@dataclass(frozen=True, slots=True)
class TfliteFrontend:
    """See ``Frontend``."""

    def takes(self, source: object) -> bool:
        """A path that ends in ``.tflite``."""
        return isinstance(source, Path) and source.suffix == ".tflite"

    def input_names(self, source: Path) -> Mapping[str, bool]:  # noqa: ARG002 - as every frontend
        """None: the file says what its inputs are, so that no example is needed."""
        return {}

    def convert(self, source: Path, example: Example | None) -> ConvertedModel:
        """See ``Frontend``."""
        for name in ("tensorflow", "tf2onnx"):
            if find_spec(name) is None:
                raise missing("tensorflow", "a .tflite file")
        shown, arrays = _crossing(example)
        about, found = ask(source, {"only_run": False, "name": source.stem, "example": shown}, arrays)
        proto = ModelProto.FromString(found["proto"].tobytes())
        notes = tuple(Note(rule, "", message) for rule, message in about["notes"])
        if about["example"] is None:
            return ConvertedModel(proto, notes=notes)
        used = {name: found[f"example{place}"] for place, name in enumerate(about["example"])}
        reference = _reference(source, used, _outputs(found))
        return ConvertedModel(
            proto, example=used, reference=reference, notes=notes, steps=tuple(about["steps"])
        )


FRONTEND = TfliteFrontend()


def _crossing(example: Example | None) -> tuple[Any, dict[str, NDArray[Any]]]:
    """An example as JSON, in which arrays are names, and the arrays."""
    if example is None:
        return None, {}
    arrays: dict[str, NDArray[Any]] = {}

    def part(value: Any) -> Any:
        if isinstance(value, InputSpec):
            return [list(value.dims), value.dtype]
        name = f"given{len(arrays)}"
        arrays[name] = np.asarray(value)
        return name

    if isinstance(example, Mapping):
        return {name: part(value) for name, value in example.items()}, arrays
    several = example if isinstance(example, tuple | list) else [example]
    return [part(value) for value in several], arrays


def _outputs(found: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    names = [name for name in found if name.startswith("output")]
    return [found[f"output{place}"] for place in range(len(names))]


def _reference(
    path: Path, example: Arrays, outputs: Sequence[NDArray[Any]]
) -> Callable[[Arrays], Sequence[NDArray[Any]]]:
    """Runs the file in TensorFlow Lite; on the example of the export it has been run already."""

    def run(arrays: Arrays) -> Sequence[NDArray[Any]]:
        if arrays is example:
            return outputs
        sent = {f"given{place}": array for place, array in enumerate(arrays.values())}
        return _outputs(ask(path, {"only_run": True}, sent)[1])

    return run
