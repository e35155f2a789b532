"""Reads what a file's metadata call its tensors: parameter, buffer or constant, as torch's exporter writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from onnx import GraphProto, StringStringEntryProto

from nnea_graph.graph import Constant

_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"
_SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
_FOLDED_FROM = "pkg.onnxscript.optimizer.folded_from"
_LINE = re.compile(r"^\S+: (PARAMETER|BUFFER|CONSTANT_TENSOR) target='([^']*)'", re.MULTILINE)
_QUOTED = re.compile(r"'([^']*)'")
_WORDS = {"PARAMETER": "parameter", "BUFFER": "buffer", "CONSTANT_TENSOR": "constant"}


def declare_kinds(graph: GraphProto, constants: dict[str, Constant]) -> None:
    """Write on each constant of the main graph what the file calls it."""
    for name, kind in _kinds(graph):
        if name in constants:
            constants[name] = replace(constants[name], declared=kind)


def _kinds(graph: GraphProto) -> Iterator[tuple[str, str]]:
    signature = _entries(graph.metadata_props).get(_SIGNATURE, "")
    targets = {target: _WORDS[kind] for kind, target in _LINE.findall(signature)}
    yield from targets.items()
    for value in graph.value_info:
        entries = _entries(value.metadata_props)
        if entries.get(_KIND) in _WORDS:
            yield value.name, _WORDS[entries[_KIND]]
        elif _FOLDED_FROM in entries and targets:
            yield value.name, _of_folded(_QUOTED.findall(entries[_FOLDED_FROM]), targets)


def _of_folded(names: Iterable[str], targets: Mapping[str, str]) -> str:
    """The kind of a folded tensor: computed from a parameter it is one, else a constant."""
    return "parameter" if any(targets.get(name) == "parameter" for name in names) else "constant"


def _entries(props: Iterable[StringStringEntryProto]) -> dict[str, str]:
    return {prop.key: prop.value for prop in props}
