"""The process that reads a ``.tflite`` file: whatever its bytes do to TensorFlow Lite, they do it here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.errors import ModelError, NneaError, UsageError
from nnea_graph.frontends.shared.example_inputs import Input, arrays_of
from nnea_graph.frontends.shared.interface import Example, InputSpec
from nnea_graph.frontends.tf2onnx.imports import explained, imported
from nnea_graph.frontends.tflite.convert import tflite_to_onnx
from nnea_graph.frontends.tflite.flatbuffer import TfliteFile, read_tflite
from nnea_graph.process.framing import packed, receive, send, text, unpacked
from nnea_graph.process.limits import limit_memory
from nnea_graph.process.serving import answering

_WHAT = "a .tflite file"
_MOST_REQUEST = 1 << 40
_STEPS = 255
"""Of 8 bits."""

Arrays = dict[str, NDArray[Any]]


def answer(request: Mapping[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """The model of a file with its outputs on an example, or only the outputs; as JSON and arrays.

    Raises:
        NneaError: one line that says what is wrong with the file or the example.
    """
    content = Path(request["path"]).read_bytes()
    file = read_tflite(content)
    # An operator of TensorFlow's own may do anything, such as writing files: it is never run.
    interpreter = None if file.flex else _Interpreter(content)
    if request["only_run"]:
        if interpreter is None:
            raise ModelError("it is not run here")
        return {}, _numbered("output", interpreter.run(list(arrays.values())))
    shapes = interpreter.shapes() if interpreter else {}
    proto = tflite_to_onnx(file, shapes, request["name"])
    found = {"proto": np.frombuffer(proto.SerializeToString(), np.uint8)}
    about: dict[str, Any] = {"notes": _notes(file, proto), "example": None}
    if interpreter is None:
        return about, found
    inputs = [
        Input(value.name, dims, dtype)
        for value, (dims, dtype) in zip(proto.graph.input, interpreter.inputs(), strict=True)
    ]
    if any(np.dtype(each.dtype).kind not in "biuf" for each in inputs):
        return about, found
    example = arrays_of(_example(request["example"], arrays), inputs)
    _check_fixed(inputs, example)
    outputs = interpreter.run(list(example.values()))
    about |= {"example": list(example), "steps": _steps(file, outputs)}
    return about, found | _numbered("example", list(example.values())) | _numbered("output", outputs)


def _numbered(what: str, arrays: Sequence[NDArray[Any]]) -> Arrays:
    return {f"{what}{place}": array for place, array in enumerate(arrays)}


def _example(shown: Any, arrays: Arrays) -> Example | None:
    """An example from what crosses between processes: names of arrays, and [dims, dtype] of what is to be made up."""

    def part(value: Any) -> Any:
        return arrays[value] if isinstance(value, str) else InputSpec(tuple(value[0]), value[1])

    if shown is None:
        return None
    if isinstance(shown, dict):
        return {name: part(value) for name, value in shown.items()}
    return tuple(part(value) for value in shown)


def _check_fixed(inputs: Sequence[Input], example: Arrays) -> None:
    for each in inputs:
        given = example[each.name].shape
        if any(dim not in {None, has} for dim, has in zip(each.dims, given, strict=True)):
            shown = [("any" if dim is None else dim) for dim in each.dims]
            raise UsageError(f"input '{each.name}' takes {shown}; the example has {list(given)}")


def _notes(file: TfliteFile, proto: ModelProto) -> list[tuple[str, str]]:
    """Rule and message of what is out of the ordinary."""
    notes = []
    if file.hybrids:
        what = f"TensorFlow Lite rounds the inputs of {file.hybrids} layers with int8 weights to 8 bits while it runs"
        notes.append(("float-activations", f"{what}; here they are computed in floats"))
    if len(file.signatures) > 1:
        notes.append(
            ("other-signatures", f"the file has {len(file.signatures)} signatures; this is the first")
        )
    dims = [dim for value in proto.graph.input for dim in value.type.tensor_type.shape.dim[:1]]
    if dims and not any(dim.dim_param for dim in dims):
        numbers = ", ".join(sorted({str(dim.dim_value) for dim in dims}))
        notes.append(
            ("fixed-batch", f"the file fixes the number of samples, the first dim of its inputs: {numbers}")
        )
    if file.flex:
        shown = ", ".join(file.flex)
        notes.append(
            ("unchecked-source", f"the file was not run: it has operators of TensorFlow's own ({shown})")
        )
    return notes


def _steps(file: TfliteFile, outputs: Sequence[NDArray[Any]]) -> list[float]:
    """Smallest change of each output where the file computes in few bits; 0 where it does not.

    Where 8 bits are nowhere the output's own, a step is that of its range, for each operator that rounds: their errors
    have nothing to do with each other, and add up as the root of their number.
    """
    graph = file.graphs[0]
    makers = {place for each in graph.operators for place in each.outputs}
    widened = {each.outputs[0]: each.inputs[0] for each in graph.operators if each.kind == "DEQUANTIZE"}
    rounded = sum(graph.tensors[place].quantized for place in makers) + file.hybrids
    found = []
    for place, array in zip(graph.outputs, outputs, strict=True):
        if graph.tensors[place].quantized:
            found.append(1.0)
        elif widened.get(place) in makers:
            found.append(graph.tensors[widened[place]].scale)
        else:
            found.append(float(np.ptp(array)) / _STEPS * math.sqrt(rounded) if array.size else 0.0)
    return found


class _Interpreter:
    """TensorFlow Lite's, with its own operators alone: no delegates."""

    def __init__(self, content: bytes) -> None:
        tensorflow = imported("tensorflow", _WHAT)
        with explained("TensorFlow Lite cannot load it"):
            lite = tensorflow.lite
            plain = lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            self._lite = lite.Interpreter(
                model_content=content, experimental_op_resolver_type=plain, num_threads=1
            )
            self._lite.allocate_tensors()

    def shapes(self) -> dict[int, list[int]]:
        """Shapes of every tensor of the main graph, -1 where any number will do."""
        return {
            each["index"]: each.get("shape_signature", each["shape"]).tolist()
            for each in self._lite.get_tensor_details()
        }

    def inputs(self) -> list[tuple[tuple[int | None, ...], str]]:
        """Dims and numpy type of each."""
        return [
            (
                tuple(None if dim < 0 else int(dim) for dim in each["shape_signature"]),
                np.dtype(each["dtype"]).name,
            )
            for each in self._lite.get_input_details()
        ]

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs in order."""
        with explained("TensorFlow Lite cannot run it"):
            details = self._lite.get_input_details()
            for detail, array in zip(details, arrays, strict=True):
                self._lite.resize_tensor_input(detail["index"], array.shape)
            self._lite.allocate_tensors()
            for detail, array in zip(details, arrays, strict=True):
                self._lite.set_tensor(detail["index"], array)
            self._lite.invoke()
            return [self._lite.get_tensor(each["index"]) for each in self._lite.get_output_details()]


def main() -> None:
    """Answer one request."""
    with answering() as (requests, answers):
        request = json.loads(receive(requests, _MOST_REQUEST))
        arrays = unpacked(receive(requests, _MOST_REQUEST))
        imported("tensorflow", _WHAT)
        limit_memory(request["memory_bytes"])
        try:
            about, found = answer(request, arrays)
            content = packed(found)
        except NneaError as error:
            about, content = {"error": str(error), "usage": isinstance(error, UsageError)}, packed({})
        except MemoryError:
            about, content = (
                {"error": "it takes more memory than a model of its size may", "usage": False},
                packed({}),
            )
        send(answers, text(about))
        send(answers, content)


if __name__ == "__main__":
    main()
