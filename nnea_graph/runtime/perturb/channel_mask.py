"""One session of a model in which channels of chosen tensors can be set to 0, others from run to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.runtime.export.node_emitter import Emitter
from nnea_graph.runtime.export.to_onnx import Written, to_proto
from nnea_graph.runtime.session.isolated import IsolatedSession
from nnea_graph.runtime.session.session import Session, Settings, session_of

_UNKNOWN = TensorInfo(None, None)
_FLOATS = frozenset({"float32", "float16", "float64"})
_BROADCASTING = 7
"""The operator set since which Mul spreads one operand over the other by itself."""


@dataclass(frozen=True, slots=True)
class Maskable:
    """A tensor with its channels: the index along ``axes``, of lengths ``dims``, raveled."""

    tensor: str
    axes: tuple[int, ...]
    dims: tuple[int, ...]


class MaskedSession:
    """Built once; ``refused`` says of each tensor that cannot be masked why."""

    def __init__(
        self,
        graph: ModelGraph,
        tensors: Iterable[Maskable],
        types: Mapping[str, TensorInfo],
        settings: Settings | None = None,
    ) -> None:
        """Write the model with a product behind the operator that makes each tensor, make the session.

        Raises:
            RunError: onnxruntime does not take the model.
        """
        written = to_proto(graph)
        self._emitter = Emitter(graph, written)
        self.refused: dict[str, str] = {}
        self._masks: dict[str, tuple[str, tuple[int, ...]]] = {}
        added: dict[str, dict[str, list[NodeProto]]] = {}
        for each in tensors:
            info = types.get(each.tensor, _UNKNOWN)
            reason = _refusal(graph, each, info, self._emitter.opset)
            if reason:
                self.refused[each.tensor] = reason
            elif info.shape is not None and info.dtype is not None:
                path, maker, nodes = self._masked(graph, each, len(info.shape), info.dtype.code)
                added.setdefault(path, {}).setdefault(maker, []).extend(nodes)
        for path in ("", *graph.bodies)[
            ::-1
        ]:  # inner bodies first: outer ones are written with what they hold
            if path in added:
                _insert(written.graphs[path], added[path])
        self._session = _session(written, graph.outputs, settings or Settings())

    def close(self) -> None:
        """End the other process, if there is one."""
        self._session.close()

    def _masked(
        self, graph: ModelGraph, each: Maskable, rank: int, code: int
    ) -> tuple[str, str, list[NodeProto]]:
        """The operator makes the tensor under another name, and a product under its own; nobody else changes."""
        producer = graph.producer(each.tensor)
        if producer is None:
            raise KeyError(each.tensor)  # refused before
        proto = self._emitter.written.nodes[producer.id]
        raw, mask, cast = (self._emitter.fresh() for _ in range(3))
        proto.output[list(proto.output).index(each.tensor)] = raw
        shape = tuple(dict(zip(each.axes, each.dims, strict=True)).get(axis, 1) for axis in range(rank))
        main = self._emitter.written.proto.graph
        main.input.append(helper.make_tensor_value_info(mask, TensorProto.FLOAT, shape))
        self._masks[each.tensor] = mask, shape
        nodes = [
            helper.make_node("Cast", [mask], [cast], name=cast, to=code),
            helper.make_node("Mul", [raw, cast], [each.tensor], name=raw),
        ]
        return producer.body, producer.id, nodes

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        kept: Mapping[str, NDArray[np.bool_]],
        outputs: Sequence[str],
        seconds: float | None = None,
    ) -> list[NDArray[Any]]:
        """The outputs with all channels of the named tensors at 0 that are not kept; other tensors stay whole.

        Raises:
            RunError: an operator fails, or the time is up.
        """
        masks = {
            mask: kept[tensor].reshape(shape).astype(np.float32)
            if tensor in kept
            else np.ones(shape, np.float32)
            for tensor, (mask, shape) in self._masks.items()
        }
        return self._session.run({**feeds, **masks}, list(outputs), seconds)


def _session(written: Written, outputs: Sequence[str], settings: Settings) -> Session | IsolatedSession:
    if settings.apart:
        return IsolatedSession(written, outputs, settings.threads, settings.apart)
    return session_of(written, settings)


def _refusal(graph: ModelGraph, each: Maskable, info: TensorInfo, opset: int) -> str:
    """Reason why a tensor cannot be masked; "" if it can."""
    if graph.producer(each.tensor) is None:
        return "no operator makes it: it enters the model or the body of a loop"
    if info.dtype is None or info.shape is None:
        return "its type or its rank is not known"
    if info.dtype.name not in _FLOATS:
        return f"its elements are {info.dtype}: 0 may not stand for nothing there"
    if opset < _BROADCASTING:
        return f"operator set {opset} of the model cannot multiply by channel"
    return ""


def _insert(graph: Any, added: Mapping[str, Sequence[NodeProto]]) -> None:
    """Put operators right behind those that they follow, by name."""
    # Copies: a message that is taken out of its list loses its contents.
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    for node in nodes:
        graph.node.append(node)
        graph.node.extend(added.get(node.name, ()))
