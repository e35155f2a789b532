"""Names in a model of nested graphs: each is made unique in the whole and found from where it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnx import AttributeProto, NodeProto

from nnea_graph.errors import ModelError
from nnea_graph.frontends.protobuf.strings import text


@dataclass(slots=True)
class Frame:
    """Names in one graph or function: local name to the name in the whole; ``outer`` is what it may look into."""

    path: str
    opsets: Mapping[str, int]
    outer: Frame | None = None
    bound: Mapping[str, AttributeProto] | None = None
    body: str = ""
    depth: int = 0
    names: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> str | None:
        """Tensor that a name stands for here or further out."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.outer
        return None

    def opset(self, domain: str) -> int:
        """The version of an operator set, 0 where none is imported."""
        return self.opsets.get(domain, 0)


class ScopedNames:
    """Gives tensors and operators names; ``renamed`` are the operators whose names were taken."""

    def __init__(self) -> None:
        self.renamed: list[str] = []
        self._tensors: dict[str, int] = {}
        self._nodes: dict[str, int] = {}

    def define(self, frame: Frame, name: str, by: str) -> str:
        """The name in the whole of a tensor that an operator or a declaration makes."""
        local = text(name, f"a tensor name ({by})")
        if local in frame.names:
            raise ModelError(f"two producers of tensor '{local}': {by} makes it again; names must be unique")
        frame.names[local] = self._fresh(f"{frame.path}/{local}" if frame.path else local, self._tensors)
        return frame.names[local]

    @staticmethod
    def _fresh(wanted: str, taken: dict[str, int]) -> str:
        """``wanted``, or with the first free number; ``taken`` remembers the last, or thousands would cost squares."""
        name, number = wanted, taken.get(wanted, 1)
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken[wanted] = number
        taken.setdefault(name, 1)
        return name

    def read(self, frame: Frame, name: str, reader: str) -> str:
        """The name in the whole of a tensor that is read; "" for one that is left out."""
        if not name:
            return ""
        found = frame.find(name)
        if found is None:
            raise ModelError(
                f"{reader} reads tensor '{text(name, reader)}', which no operator, input or initializer makes"
            )
        return found

    def output(self, frame: Frame, name: str, owner: str) -> str:
        """The name in the whole of an output of a graph or body."""
        found = frame.find(name)
        if found is None:
            raise ModelError(f"output '{text(name, owner)}' of {owner} is made by no operator")
        return found

    def body_path(self, wanted: str) -> str:
        """The path of a body, which no operator has."""
        return self._fresh(wanted, self._nodes)

    def node_id(self, node: NodeProto, frame: Frame) -> str:
        """An operator's id: its name, or type and number, under the path of its frame."""
        given = text(node.name, "a node name")
        if not given:
            number = frame.counters.get(node.op_type, 0)
            frame.counters[node.op_type] = number + 1
            given = f"{text(node.op_type, 'an operator type')}_{number}"
        wanted = f"{frame.path}/{given}" if frame.path else given
        found = self._fresh(wanted, self._nodes)
        if found != wanted and node.name:
            self.renamed.append(wanted)
        return found
