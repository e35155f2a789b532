"""Contents of a ``.tflite`` file, as far as it must be known before anything of it is converted or run.

The file is a flatbuffer: offsets into itself, which nobody has checked. Whatever is read here is read in the process
that may die of it (see ``tflite_worker``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.tf2onnx.imports import imported

_RUNNABLE = frozenset({"TFLite_Detection_PostProcess"})
"""Custom operators that are part of TensorFlow Lite itself."""
FLEX = "Flex"
"""Begins the names of TensorFlow's own operators, of which some write files."""

_WEIGHTED = frozenset(
    {"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "CONV_3D_TRANSPOSE"}
)


@dataclass(frozen=True, slots=True)
class TfliteTensor:
    """``scale`` is 0 where there is none, or more than one; ``constant`` says that the file holds the values."""

    name: str
    type: str
    constant: bool
    quantized: bool
    scale: float


@dataclass(frozen=True, slots=True)
class Operator:
    """Inputs and outputs are places of tensors; what is optional and left out is left out here too."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """The main graph or the body of a control flow operator."""

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """``model`` is tf2onnx's reader; ``signatures`` name the tensors of the main graph that callers see."""

    model: Any
    kinds: dict[int, str]
    graphs: tuple[Subgraph, ...]
    signatures: tuple[dict[int, str], ...]

    @property
    def flex(self) -> list[str]:
        """TensorFlow's own operators in it."""
        return sorted({kind for kind in self.kinds.values() if kind.startswith(FLEX)})

    @property
    def hybrids(self) -> int:
        """Operators that multiply floats by integers, and round their input to 8 bits for that."""
        return sum(
            graph.tensors[each.inputs[0]].type == "FLOAT32" and graph.tensors[each.inputs[1]].type == "INT8"
            for graph in self.graphs
            for each in graph.operators
            if each.kind in _WEIGHTED and len(each.inputs) > 1
        )


def read_tflite(content: bytes) -> TfliteFile:
    """The tables of a file.

    Raises:
        ModelError: they lie outside the file, or name what cannot be read.
    """
    imported("tensorflow", "a .tflite file")
    reader: Any = imported("tf2onnx.tflite.Model", "a .tflite file").Model
    try:
        model = reader.GetRootAsModel(bytearray(content), 0)
        kinds = {place: _kind(model.OperatorCodes(place)) for place in range(model.OperatorCodesLength())}
        graphs = tuple(_subgraph(model, model.Subgraphs(n), kinds) for n in range(model.SubgraphsLength()))
        signatures = tuple(_signatures(model))
    except ModelError:
        raise
    except Exception as error:  # whatever wrong offsets lead to
        raise ModelError(
            f"the file is damaged: its tables cannot be read ({type(error).__name__}: {error})"
        ) from error
    if not graphs:
        raise ModelError("the file is damaged, or no model: it has no graph")
    strange = sorted({name for place, name in kinds.items() if _is_strange(model, place, name)})
    if strange:
        raise ModelError(
            f"it has custom operators of somebody's own ({', '.join(strange)}), of which only their code knows what "
            "they do; convert the model without them"
        )
    return TfliteFile(model, kinds, graphs, signatures)


def _kind(code: Any) -> str:
    builtin = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
    kinds = _names("BuiltinOperator")
    if builtin not in kinds:
        raise ModelError(f"it has the builtin operator {builtin}, which tf2onnx does not know")
    return _text(code.CustomCode()) if kinds[builtin] == "CUSTOM" else kinds[builtin]


def _is_strange(model: Any, place: int, name: str) -> bool:
    code = model.OperatorCodes(place)
    custom = _names("BuiltinOperator")[max(code.DeprecatedBuiltinCode(), code.BuiltinCode())] == "CUSTOM"
    return custom and name not in _RUNNABLE and not name.startswith(FLEX)


def _subgraph(model: Any, graph: Any, kinds: dict[int, str]) -> Subgraph:
    tensors = tuple(_tensor(model, graph.Tensors(n)) for n in range(graph.TensorsLength()))
    operators = []
    for op in (graph.Operators(n) for n in range(graph.OperatorsLength())):
        inputs = tuple(op.Inputs(n) for n in range(op.InputsLength()))
        outputs = tuple(op.Outputs(n) for n in range(op.OutputsLength()))
        operators.append(Operator(kinds[op.OpcodeIndex()], _given(inputs), _given(outputs)))
    found = Subgraph(
        tensors,
        tuple(operators),
        tuple(graph.Inputs(n) for n in range(graph.InputsLength())),
        tuple(graph.Outputs(n) for n in range(graph.OutputsLength())),
    )
    used = [place for each in operators for place in (*each.inputs, *each.outputs)]
    odd = next(
        (place for place in (*used, *found.inputs, *found.outputs) if not 0 <= place < len(tensors)), None
    )
    if odd is not None:
        raise ModelError(
            f"the file is damaged: there is no tensor {odd}, which an operator or the graph uses"
        )
    return found


def _given(places: Sequence[int]) -> tuple[int, ...]:
    return tuple(place for place in places if place != -1)


def _tensor(model: Any, tensor: Any) -> TfliteTensor:
    types = _names("TensorType")
    known = imported("tf2onnx.tflite_utils", "a .tflite file").TFLITE_TO_ONNX_DTYPE
    name, kind = _text(tensor.Name()), types.get(tensor.Type(), f"number {tensor.Type()}")
    if tensor.Type() not in known:
        raise ModelError(f"tensor '{name}' is of type {kind}, which tf2onnx cannot read")
    scales = 0
    quantization = tensor.Quantization()
    if quantization is not None and not quantization.ScaleIsNone():
        scales = quantization.ScaleLength()
    return TfliteTensor(
        name,
        kind,
        tensor.Buffer() > 0 and not model.Buffers(tensor.Buffer()).DataIsNone(),
        scales > 0,
        float(quantization.Scale(0)) if scales == 1 else 0.0,
    )


def _signatures(model: Any) -> Iterator[dict[int, str]]:
    """Names by tensor of the main graph that each signature calls it; inputs and outputs are not the same tensors."""
    for n in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(n)
        if signature.SubgraphIndex() != 0:
            yield {}
            continue
        inputs = (signature.Inputs(k) for k in range(signature.InputsLength()))
        outputs = (signature.Outputs(k) for k in range(signature.OutputsLength()))
        yield {each.TensorIndex(): _text(each.Name()) for each in (*outputs, *inputs)}


def _names(enumeration: str) -> dict[int, str]:
    module = imported(f"tf2onnx.tflite.{enumeration}", "a .tflite file")
    return {value: name for name, value in vars(getattr(module, enumeration)).items() if name[0] != "_"}


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")
