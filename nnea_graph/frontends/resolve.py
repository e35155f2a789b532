"""Any source as a ModelGraph: ONNX files, live models, and the user's code that makes them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnx import ModelProto

from nnea_graph.errors import UsageError, naming
from nnea_graph.frontends.onnx.file import OnnxFile
from nnea_graph.frontends.onnx.graph import graph_of, load_onnx, read_whole
from nnea_graph.frontends.shared.interface import ConvertedModel, Example, Frontend, InputSpec, derives_from
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.frontends.shared.source_metadata import put_facts
from nnea_graph.frontends.shared.user_code import called, names_a_callable
from nnea_graph.graph import ModelGraph

Shapes = Mapping[str, Sequence[int] | InputSpec]
"""Shapes by input; "" names the only one."""

_FRONTENDS = (
    ("tensorflow", "nnea_graph.frontends.tflite.frontend"),
    ("pytorch", "nnea_graph.frontends.keras.torch_frontend"),
    ("tensorflow", "nnea_graph.frontends.keras.frontend"),
    ("tensorflow", "nnea_graph.frontends.tensorflow.frontend"),
    ("pytorch", "nnea_graph.frontends.torch.frontend"),
)
"""Framework and module with its ``FRONTEND``, asked in this order."""

_ONNX_OBJECTS = ("onnx_ir.Model", "onnx_graphsurgeon.ir.graph.Graph")
"""Classes of other packages that are written as an ONNX model."""

_NAMELESS = "<memory>"


@dataclass(frozen=True, slots=True)
class Source:
    """Meaning of the user's words: an object or a path, the frontend that takes it, and what to call it.

    ``frontend`` is None for ONNX; ``framework`` is ``pytorch``, ``tensorflow`` or ``onnx``.
    """

    value: Any
    name: str
    framework: str
    frontend: Frontend | None


def resolve(source: object, framework: str = "auto") -> Source:
    """Find out what a source is: its frontend imports its framework only when it converts.

    Raises:
        UsageError: an unknown framework, or something that no frontend takes.
        ModelError: the user's code fails.
    """
    name = _NAMELESS
    if isinstance(source, str | Path):
        name = str(source)
        source = called(name) if names_a_callable(name) else Path(source)
    chosen = [each for each in _FRONTENDS if framework in {"auto", each[0]}]
    if not chosen and framework != "onnx":
        raise UsageError(f"framework '{framework}': there is auto, onnx, {', '.join(dict(_FRONTENDS))}")
    # The rest would cost imports: what is plainly ONNX is asked of no frontend.
    for label, module in () if _is_onnx(source) else chosen:
        frontend: Frontend = importlib.import_module(module).FRONTEND
        if frontend.takes(source):
            live = name == _NAMELESS and type(source).__name__
            return Source(source, live or name, label, frontend)
    if (isinstance(source, Path) or _is_onnx(source)) and framework in {"auto", "onnx"}:
        return Source(source, name, "onnx", None)
    if framework != "auto":
        shown = type(source).__qualname__ if name == _NAMELESS else name
        raise UsageError(f"{shown} is no model of framework '{framework}'; leave framework out")
    raise UsageError(
        f"{name}: {type(source).__module__}.{type(source).__qualname__} is no model; give a torch module, an "
        "ExportedProgram, a Keras model, a tf.function or tf.Module, an onnx.ModelProto, an onnx_ir.Model, a gs.Graph, "
        "a path, or module:callable that makes one"
    )


def _is_onnx(source: object) -> bool:
    if isinstance(source, Path):
        return source.suffix == ".onnx"
    return isinstance(source, ModelProto) or derives_from(source, *_ONNX_OBJECTS)


def _model_of(value: Any) -> tuple[ModelProto, Path | None]:
    """A model in memory, and the folder of its external data where it has some."""
    if isinstance(value, ModelProto):
        return value, None
    from nnea_graph.frontends.onnx.from_graphsurgeon import exported  # noqa: PLC0415 - start-up
    from nnea_graph.frontends.onnx.from_onnx_ir import is_ir_model, serialized  # noqa: PLC0415 - start-up

    if is_ir_model(value):
        return serialized(value)
    return exported(value), None


def load_found(found: Source, limits: Limits | None, allow_external: Path | None) -> ModelGraph:
    """The graph of an ONNX source."""
    if isinstance(found.value, Path):
        return load_onnx(found.value, limits, allow_external)
    proto, folder = _model_of(found.value)
    return graph_of(OnnxFile.from_proto(proto, limits, folder, allow_external))


def whole(found: Source) -> ModelProto:
    """A copy of an ONNX source that can be changed and written; external data stay where they are.

    Raises:
        ModelError: the file cannot be read.
    """
    if isinstance(found.value, Path):
        return read_whole(found.value)
    proto = ModelProto()
    proto.CopyFrom(_model_of(found.value)[0])
    return proto


def convert(found: Source, example: Example | None) -> ConvertedModel:
    """Export a live model, with its facts in the metadata of the ONNX model.

    Raises:
        UsageError: it is an ONNX model already, or needs another example.
        ModelError: one line with the exporter's own reason, or what to install.
    """
    if found.frontend is None:
        raise UsageError(f"{found.name} is an ONNX model already")
    with naming(found.name):
        return described(found.frontend.convert(found.value, example))


def described(converted: ConvertedModel) -> ConvertedModel:
    """The same, with its facts in the metadata of the ONNX model."""
    if converted.facts is not None:
        put_facts(converted.proto, converted.facts)
    return converted


def made_up(shapes: Shapes) -> Example:
    """An example of these shapes."""
    specs = {
        name: shape if isinstance(shape, InputSpec) else InputSpec(tuple(shape))
        for name, shape in shapes.items()
    }
    return specs[""] if set(specs) == {""} else specs


def graph_of_converted(converted: ConvertedModel, found: Source, limits: Limits | None = None) -> ModelGraph:
    """The graph of an exported model, which says where it came from."""
    with naming(found.name):
        graph = graph_of(OnnxFile.from_proto(converted.proto, limits))
    graph.info = replace(
        graph.info, path=found.name, format=found.framework, notes=(*converted.notes, *graph.info.notes)
    )
    return graph
