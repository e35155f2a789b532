"""ModelGraph: one frozen networkx graph of a model's operators, on which passes write facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from numpy.typing import NDArray

from nnea_graph.errors import PassError
from nnea_graph.graph.constants import Constant
from nnea_graph.graph.keys import Key
from nnea_graph.graph.nodes import Body, OpNode, TensorInfo
from nnea_graph.graph.source_facts import SourceFacts

if TYPE_CHECKING:
    import networkx as nx

T = TypeVar("T")


class TypeInference(Protocol):
    """Knowledge that the source format itself knows about an operator's outputs."""

    def infer(
        self,
        node: OpNode,
        inputs: Sequence[TensorInfo | None],
        values: Sequence[NDArray[Any] | None],
    ) -> list[TensorInfo]:
        """Type and shape of each output, given those of the inputs and the small values that are known.

        Unknown ones come as ``TensorInfo(None, None)``.

        Raises:
            OperatorError: the operator's attributes or the shapes contradict its definition.
        """
        ...


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a frontend or a pass saw and that the reader should know; ``place`` is a node or tensor."""

    rule: str
    place: str
    message: str


class ModelFile(Protocol):
    """The file that a model was read from."""

    @property
    def size_bytes(self) -> int:
        """Bytes of the file and of the external data that it uses."""
        ...

    def sha256(self) -> str:
        """Hash of the model file."""
        ...

    def close(self) -> None:
        """Let go of the files; what is still in them can no longer be read."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Origin of the model; ``metadata`` is what its file says of itself, each text cut to a line."""

    path: str
    format: str
    producer: str = ""
    ir_version: int | None = None
    opsets: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    external_data: tuple[str, ...] = ()


class ModelGraph:
    """The operators of a model, its tensors and its constants.

    Iteration is in execution order: an operator with bodies comes after the operators in them,
    as it joins their outputs. ``graph[node, KEY]`` is a fact of an operator, ``graph[KEY]`` one of the model;
    both are networkx attributes of ``graph.nx`` as well. The structure is frozen; only facts are written.
    ``bodies`` lists outer bodies before inner ones. ``encoded`` holds the attributes of operators (but for graphs)
    as the source format encodes them, for whoever writes the model again. ``source`` is what the live model that
    was exported said of itself, None where nobody wrote it down.
    """

    def __init__(  # noqa: PLR0913 - the parts of a model are what they are
        self,
        info: ModelInfo,
        nodes: Sequence[OpNode],
        *,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        tensors: Mapping[str, TensorInfo],
        constants: Mapping[str, Constant],
        bodies: Mapping[str, Body],
        oracle: TypeInference,
        file: ModelFile,
        encoded: Mapping[str, bytes],
        source: SourceFacts | None = None,
    ) -> None:
        self.info = info
        self.inputs = inputs
        self.outputs = outputs
        self.tensors = tensors
        self.constants = constants
        self.bodies = bodies
        self.oracle = oracle
        self.file = file
        self.encoded = encoded
        self.source = source
        self._order = tuple(nodes)
        self._writable: frozenset[str] | None = None
        self._producers = {name: node for node in nodes for name in node.outputs if name}
        self._model_facts: dict[str, Any] = {}
        self._node_facts: dict[str, dict[str, Any]] = {node.id: {"op": node} for node in nodes}

    @cached_property
    def nx(self) -> nx.DiGraph[str]:
        """The frozen networkx graph, with the facts as its attributes: the same dicts, so later facts appear too.

        Made when first asked for: networkx takes longer to import than a small model to analyze.
        """
        import networkx  # noqa: ICN001, PLC0415 - "nx" is this property

        whole: nx.DiGraph[str] = networkx.DiGraph()
        whole.add_nodes_from(self._node_facts.items())
        whole.add_edges_from((a, b, {"tensors": tuple(names)}) for (a, b), names in self._edges().items())
        whole.graph.update(self._model_facts)
        self._model_facts = whole.graph
        self._node_facts = {node.id: whole.nodes[node.id] for node in self._order}
        networkx.freeze(whole)
        return whole

    def _edges(self) -> dict[tuple[str, str], list[str]]:
        """Names of the tensors that run from one operator to another."""
        edges: dict[tuple[str, str], list[str]] = {}
        for node in self._order:
            for name in self.reads(node):
                producer = self._producers.get(name)
                if producer is not None and producer is not node:
                    edges.setdefault((producer.id, node.id), []).append(name)
        return edges

    @cached_property
    def _consumers(self) -> dict[str, list[OpNode]]:
        found: dict[str, list[OpNode]] = {}
        for node in self._order:
            for name in dict.fromkeys(self.reads(node)):
                found.setdefault(name, []).append(node)
        return found

    def reads(self, node: OpNode) -> Iterator[str]:
        """Names of the tensors that an operator reads: its inputs, and the outputs of its bodies."""
        yield from (name for name in node.inputs if name)
        for path in node.bodies:
            yield from self.bodies[path].outputs

    def __iter__(self) -> Iterator[OpNode]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def ids(self) -> AbstractSet[str]:
        """The ids of all operators."""
        return self._node_facts.keys()

    def node(self, node_id: str) -> OpNode:
        """The operator of that id; KeyError where there is none."""
        op: OpNode = self._node_facts[node_id]["op"]
        return op

    def producer(self, tensor: str) -> OpNode | None:
        """The operator that makes a tensor; None for inputs and stored constants."""
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> list[OpNode]:
        """The operators that read a tensor, in execution order."""
        return self._consumers.get(tensor, [])

    @overload
    def __getitem__(self, place: Key[T]) -> T: ...
    @overload
    def __getitem__(self, place: tuple[OpNode, Key[T]]) -> T: ...
    def __getitem__(self, place: Key[T] | tuple[OpNode, Key[T]]) -> T:
        facts, key = self._facts(place)
        if key.name not in facts:
            raise PassError(f"the fact '{key.name}' is asked for before the pass that provides it has run")
        fact: T = facts[key.name]
        return fact

    @overload
    def __setitem__(self, place: Key[T], fact: T) -> None: ...
    @overload
    def __setitem__(self, place: tuple[OpNode, Key[T]], fact: T) -> None: ...
    def __setitem__(self, place: Key[T] | tuple[OpNode, Key[T]], fact: T) -> None:
        facts, key = self._facts(place)
        if self._writable is not None and key.name not in self._writable:
            raise PassError(f"a pass writes the fact '{key.name}', which it does not provide")
        facts[key.name] = fact

    @contextmanager
    def writing(self, keys: Iterable[Key[Any]]) -> Iterator[None]:
        """Let only these facts be written meanwhile."""
        before, self._writable = self._writable, frozenset(key.name for key in keys)
        try:
            yield
        finally:
            self._writable = before

    def __contains__(self, place: Key[Any] | tuple[OpNode, Key[Any]]) -> bool:
        facts, key = self._facts(place)
        return key.name in facts

    def _facts(self, place: Key[Any] | tuple[OpNode, Key[Any]]) -> tuple[dict[str, Any], Key[Any]]:
        if isinstance(place, Key):
            return self._model_facts, place
        node, key = place
        return self._node_facts[node.id], key
