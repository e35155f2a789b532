"""An ONNX file as a ModelGraph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from onnx import ModelProto

from nnea_graph.errors import ModelError, naming
from nnea_graph.frontends.onnx.declared_kinds import declare_kinds
from nnea_graph.frontends.onnx.file import OnnxFile, read_onnx, text
from nnea_graph.frontends.onnx.flatten import Flattener
from nnea_graph.frontends.onnx.functions import check_expansion, functions_of, opsets_of
from nnea_graph.frontends.onnx.type_inference import OnnxOracle
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.frontends.shared.source_metadata import facts_of
from nnea_graph.graph import Body, ModelGraph, ModelInfo, OpNode
from nnea_graph.graph.model import Note
from nnea_graph.graph.topological_sort import in_order, ordered

_METADATA_CHARACTERS = 500
_FOR_PROGRAMS = ("nnea_graph.", "pkg.torch.", "onnxsim.")


def load_onnx(path: Path, limits: Limits | None = None, allow_external: Path | None = None) -> ModelGraph:
    """Read a model file; weights stay in it until they are asked for.

    Raises:
        ModelError: what is wrong with the file, in one line.
    """
    file = read_onnx(path, limits, allow_external)
    with naming(path):
        return graph_of(file)


def read_whole(path: Path) -> ModelProto:
    """A model file with its weights, as far as they lie in it, in memory.

    Raises:
        ModelError: it is no ONNX model, or too large for a message of protobuf.
    """
    proto = ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # protobuf's own kind, whose module has no types
        raise ModelError(
            f"{path}: protobuf cannot read it as a whole: {error}; save it with its weights in another file"
        ) from error
    return proto


def derived_graph(proto: ModelProto, original: ModelGraph) -> ModelGraph:
    """The graph of a model that was made of another one, under the limits that the other was read under."""
    limits = original.file.limits if isinstance(original.file, OnnxFile) else None
    return graph_of(OnnxFile.from_proto(proto, limits))


def graph_of(file: OnnxFile) -> ModelGraph:
    """The graph of a model that has been read."""
    proto, limits = file.proto, file.limits
    opsets = _opsets(proto)
    functions = functions_of(proto)
    check_expansion(functions, proto.graph, limits.function_nodes, limits.nesting)
    source = facts_of(proto)
    flat = Flattener(file, functions, limits, source.modules_of() if source else None)
    flat.main(proto.graph, opsets)
    declare_kinds(proto.graph, flat.constants)
    notes = [Note("renamed-node", name, "the name is used by an earlier node too") for name in flat.renamed]
    nodes = flat.nodes
    reads = _reads(flat.bodies)
    if not in_order(nodes, reads):
        nodes = ordered(nodes, reads)
        notes.append(Note("unsorted-graph", "", "operators stand before those whose outputs they read"))
    info = ModelInfo(
        path=str(file.path),
        format="onnx",
        producer=_producer(proto),
        ir_version=proto.ir_version,
        opsets=opsets,
        notes=tuple(notes),
        metadata=_metadata(proto),
        external_data=file.external_locations,
    )
    return ModelGraph(
        info,
        nodes,
        inputs=flat.inputs,
        outputs=flat.outputs,
        tensors=flat.tensors,
        constants=flat.constants,
        bodies=dict(reversed(flat.bodies.items())),  # the flattener finishes inner bodies first
        oracle=OnnxOracle(flat.attribute_bytes, opsets, proto.ir_version),
        file=file,
        encoded=flat.attribute_bytes,
        source=source,
    )


def _producer(proto: ModelProto) -> str:
    version = proto.producer_version.removesuffix(" None")  # where tf2onnx was built from no commit
    parts = (proto.producer_name, version)
    return " ".join(text(part, "the producer's name") for part in parts).strip()


def _metadata(proto: ModelProto) -> dict[str, str]:
    """Metadata that the file states of itself, but for what exporters and this program store there for programs."""
    found = {
        _line(each.key): _line(each.value)
        for each in proto.metadata_props
        if not _line(each.key).startswith(_FOR_PROGRAMS)
    }
    if proto.doc_string:
        found["doc_string"] = _line(proto.doc_string)
    if proto.model_version:
        found.setdefault("model_version", str(proto.model_version))
    return dict(sorted(found.items()))


def _line(value: str | bytes) -> str:
    """The beginning of a text; what is no UTF-8 is replaced, as nothing depends on it."""
    whole = value.decode(errors="replace") if isinstance(value, bytes) else value
    return whole[:_METADATA_CHARACTERS]


def _reads(bodies: Mapping[str, Body]) -> Callable[[OpNode], Iterator[str]]:
    """Tensors that must be there before an operator runs: its inputs, its bodies' outputs, its own body's inputs."""

    def reads(node: OpNode) -> Iterator[str]:
        yield from node.inputs
        for path in node.bodies:
            yield from bodies[path].outputs
        if node.body:
            yield from bodies[node.body].bound

    return reads


def _opsets(proto: ModelProto) -> dict[str, int]:
    """The versions of the operator sets, by domain.

    Raises:
        ModelError: none is named, and as ``opsets_of``.
    """
    opsets = opsets_of(proto.opset_import)
    if not opsets and proto.ir_version < 3:
        return {"": 1}
    if not opsets:
        raise ModelError("the model names no operator set (opset_import); export it again")
    return opsets
