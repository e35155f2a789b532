"""Safety rules for a SavedModel: a graph of TensorFlow can read and write files, and loading one runs parts of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.tf2onnx.imports import imported

_WHAT = "a SavedModel"
_INWARD = frozenset(
    {
        "Case",
        "PartitionedCall",
        "PreventGradient",
        "StatefulPartitionedCall",
        "StatelessCase",
        "TensorArrayV3",
        "VarHandleOp",
        "XlaEinsum",
    }
)
"""Operators whose text names nothing outside the graph; those that tf2onnx translates do not either."""

_RESTORING = frozenset({"RestoreV2", "Restore", "RestoreSlice"})
"""What else TensorFlow 1 has to restore variables; they only read."""

_OLD = frozenset({"Variable", "VariableV2"})

_INITIAL = ("saved_model_main_op", "legacy_init_op")


def check_loading(saved: Any) -> None:
    """Refuse what can reach beyond the graph, wherever TensorFlow would run it in loading or calling it.

    A file, an address, a library or a function of Python has to be named, by an input or an attribute that is text:
    an operator without any is harmless.

    Raises:
        ModelError: which operator it is.
    """
    allowed = _INWARD | _translated()
    for meta in saved.meta_graphs:
        functions = {each.signature.name: each for each in meta.graph_def.library.function}
        if meta.HasField("object_graph_def") and len(saved.meta_graphs) == 1:
            start: Iterable[Any] = ()
            names = set(meta.object_graph_def.concrete_functions)
            permitted = allowed
        else:
            start, names, permitted = _first_version(meta), set(), allowed | _RESTORING
        for op in dict.fromkeys(node.op for node in _reached(start, names, functions)):
            if op in _OLD:
                raise ModelError(
                    f"keeps weights in variables of TensorFlow 1 ({op}), which later ones do not freeze; save it again "
                    "after tf.compat.v1.enable_resource_variables()"
                )
            if not (op in permitted or _is_harmless(op, functions)):
                raise ModelError(
                    f"holds the TensorFlow operator {op}, which can reach files or code by name, and is not loaded "
                    "therefore; for a model that you trust give file.py:callable that loads it"
                )


def _first_version(meta: Any) -> list[Any]:
    """Functions that TensorFlow 1 computes its signatures with, and runs to restore and to initialize the variables."""
    ends = [info.name for each in meta.signature_def.values() for info in each.outputs.values()]
    initial = [meta.collection_def[key] for key in _INITIAL if key in meta.collection_def]
    ends += [name for each in initial for name in each.node_list.value]
    ends.append(meta.saver_def.restore_op_name)
    nodes = {node.name: node for node in meta.graph_def.node}
    found: dict[str, Any] = {}
    waiting = [_maker(name) for name in ends]
    while waiting:
        node = nodes.get(waiting.pop())
        if node is not None and node.name not in found:
            found[node.name] = node
            waiting += map(_maker, node.input)
    return list(found.values())


def _maker(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _reached(start: Iterable[Any], names: Iterable[str], functions: Mapping[str, Any]) -> Iterator[Any]:
    """The operators to begin with, those of the functions of these names, and of all that are called."""
    seen = set(names)
    bodies: list[Iterable[Any]] = [start, *_bodies(seen, functions)]
    while bodies:
        for node in bodies.pop():
            yield node
            called = _called(node) - seen
            seen |= called
            bodies += _bodies(called, functions)


def _bodies(names: Iterable[str], functions: Mapping[str, Any]) -> list[Iterable[Any]]:
    return [functions[name].node_def for name in sorted(names) if name in functions]


def _called(node: Any) -> set[str]:
    found = {node.op}
    for value in node.attr.values():
        found |= {value.func.name, *(each.name for each in value.list.func)}
    return found


def _is_harmless(op: str, functions: Mapping[str, Any]) -> bool:
    """Tells whether an operator takes, gives and is told no text, but for choices from a list; or calls a function."""
    registry = imported("tensorflow.python.framework.op_def_registry", _WHAT)
    types = imported("tensorflow.core.framework.types_pb2", _WHAT)
    definition = registry.get(op)
    if definition is None:
        return op in functions
    tensors = (each.type for each in (*definition.input_arg, *definition.output_arg))
    told = (each.type for each in definition.attr if not each.allowed_values.list.s)
    return types.DT_STRING not in tensors and not {"string", "list(string)"} & set(told)


def _translated() -> frozenset[str]:
    """The operators that tf2onnx has a rule for."""
    imported("tf2onnx.tfonnx", _WHAT)  # which registers them
    handler = imported("tf2onnx.handler", _WHAT)
    versions = (each for domain in handler.tf_op.get_opsets().values() for each in domain)
    return frozenset(name for each in versions for name in each)
