"""The order in which onnxruntime works: what reduces a tensor before anything else is made.

Left to itself, onnxruntime runs added reductions late, and every observed tensor of the model stays in memory
until then (2.2 GB in place of 0.55 on a ResNet-50 with 16 images). It takes the order of the file if it is asked
for by priority and has nothing left to optimize: what its optimizer makes goes to the end. So a model with
convolutions, for which it makes a blocked layout, is optimized first, put in order, and loaded as it is then.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.exact_int8 import with_exact_int8
from nnea_graph.runtime.session.library import onnxruntime
from nnea_graph.runtime.session.session import Session, Settings, session_options

_BLOCKED = frozenset({"Conv"})
"""Operators around which onnxruntime changes the layout."""


def observing_session(written: Written, outputs: Sequence[str], settings: Settings) -> Session:
    """A session that runs what does not lead to ``outputs`` as soon as it can.

    Raises:
        RunError: onnxruntime does not take the model.
    """
    written = with_exact_int8(written)
    if not any(node.op_type in _BLOCKED for node in written.proto.graph.node):
        reductions_first(written.proto.graph, outputs)
        return Session(written.proto, written.arrays, _in_file_order(settings))
    with tempfile.TemporaryDirectory(prefix="nnea-") as folder:
        proto = _optimized(written, Path(folder), settings)
        reductions_first(proto.graph, outputs)
        options = _in_file_order(settings)
        options.graph_optimization_level = _level("ORT_DISABLE_ALL")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        return Session(proto, {}, options)


def _level(name: str) -> Any:
    return getattr(onnxruntime().GraphOptimizationLevel, name)


def _in_file_order(settings: Settings) -> Any:
    options = session_options(settings)
    options.execution_order = onnxruntime().ExecutionOrder.PRIORITY_BASED
    return options


def _optimized(written: Written, folder: Path, settings: Settings) -> ModelProto:
    """Model that onnxruntime makes of the model for this machine; its weights are in a file of the folder."""
    options = session_options(settings)
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", "1024"
    )
    Session(written.proto, written.arrays, options)
    return onnx.load(folder / "optimized.onnx", load_external_data=False)


def reductions_first(graph: GraphProto, outputs: Sequence[str]) -> None:
    """Put every operator that does not lead to ``outputs`` right behind what it needs."""
    nodes = list(graph.node)
    needed = _leading_to(nodes, outputs)
    makers = {name for node in nodes for name in node.output if name}
    lacking = {place: _reads(node) & makers for place, node in enumerate(nodes)}
    readers: dict[str, list[int]] = {}
    for place, names in lacking.items():
        if place not in needed:
            for name in names:
                readers.setdefault(name, []).append(place)
    order: list[int] = []
    free = [place for place, names in lacking.items() if place not in needed and not names]
    for start in [*free, *(place for place in range(len(nodes)) if place in needed)]:
        _emit(start, nodes, readers, lacking, order)
    copies = [NodeProto.FromString(nodes[place].SerializeToString()) for place in order]
    del graph.node[:]
    graph.node.extend(copies)


def _emit(
    start: int,
    nodes: Sequence[NodeProto],
    readers: dict[str, list[int]],
    lacking: dict[int, set[str]],
    order: list[int],
) -> None:
    """The operator and, depth first, all reductions that now have what they need."""
    stack = [start]
    while stack:
        place = stack.pop()
        order.append(place)
        ready: list[int] = []
        for name in nodes[place].output:
            for reader in readers.get(name, ()):
                lacking[reader].discard(name)
                if not lacking[reader]:
                    ready.append(reader)
        stack.extend(reversed(ready))


def _leading_to(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> set[int]:
    """Places of the operators that some output depends on."""
    makers = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    found: set[int] = set()
    waiting = deque(outputs)
    while waiting:
        place = makers.get(waiting.popleft())
        if place is not None and place not in found:
            found.add(place)
            waiting.extend(_reads(nodes[place]))
    return found


def _reads(node: NodeProto) -> set[str]:
    """Names that an operator reads, those of outer tensors in its bodies included."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
        for graph in graphs:
            inner = set().union(*(_reads(child) for child in graph.node), (out.name for out in graph.output))
            found |= inner - {name for child in graph.node for name in child.output}
    return found
