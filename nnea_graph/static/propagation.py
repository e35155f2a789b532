"""One walk over the operators in execution order: type, shape and, where small and known, value of every tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from nnea_graph.errors import OperatorError
from nnea_graph.graph import Body, ModelGraph, OpNode, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall, UnknownFactError
from nnea_graph.ops.shape_rules import SHAPE_RULES
from nnea_graph.ops.validity_rules import refuse
from nnea_graph.ops.value_rules import VALUE_RULES
from nnea_graph.static.control_flow import CONTROL_FLOW, Trips
from nnea_graph.static.dims import Dims, DimsFit, bound, symbols_of
from nnea_graph.static.result import UNKNOWN, Contradiction, StaticFacts, call_of

VALUE_LIMIT = 4096
"""Integers above which a value is not followed: shape arithmetic is small."""

FLOATS_FOLLOWED = 64
"""The same for floats: scales and ranges are smaller still, and what is larger is a weight."""

_VALUES_LIMIT = 1 << 24
"""Elements of all values together: 128 MiB."""

_FLOAT_VALUE_LIMIT = 16


Observed = Mapping[str, tuple[int, ...]]


def infer(graph: ModelGraph, dims: Dims, observed: Observed | None = None) -> StaticFacts:
    """Walk the graph at these dims. Contradictions are collected, not raised.

    ``observed`` are shapes that a run has shown, taken where inference ends.
    """
    walker = _Walker(graph, dims, observed or {})
    walker.walk()
    return walker.found


class _Walker:
    def __init__(self, graph: ModelGraph, dims: Dims, observed: Observed) -> None:
        self.graph = graph
        self.dims = dims
        self._observed = observed
        self._inner = not dims.values.keys() <= set(symbols_of(dims.symbolic))
        self.found = StaticFacts(types=dict(dims.inputs), constant=set(graph.constants))
        for name, constant in graph.constants.items():
            self.found.types[name] = TensorInfo(constant.dtype, constant.shape)
        self._rules = SHAPE_RULES
        self._value_rules = VALUE_RULES
        self._entered: set[str] = set()
        self._room = _VALUES_LIMIT
        self._members: dict[str, list[OpNode]] = {}
        for node in graph if graph.bodies else ():
            path = node.body
            while path:
                self._members.setdefault(path, []).append(node)
                path = graph.bodies[path].outer

    def walk(self) -> None:
        for node in self.graph:
            self._visit(node)

    def _visit(self, node: OpNode) -> None:
        if node.body and node.body not in self._entered:
            self._enter(node.body)
        if node.bodies:
            self._join(node)
            return
        self._known_inputs(node)
        self._infer(node)
        self._evaluate(node)

    # Bodies

    def _enter(self, path: str) -> None:
        """Bind a body's inputs to what its owner gives it; outer bodies first."""
        body = self.graph.bodies[path]
        if body.outer and body.outer not in self._entered:
            self._enter(body.outer)
        self._entered.add(path)
        owner = self.graph.node(body.owner)
        self._known_inputs(owner)
        flow = CONTROL_FLOW.get(owner.op_type)
        given = flow.enter(call_of(owner, self.found), body) if flow else [UNKNOWN] * len(body.inputs)
        for name, info in zip(body.inputs, given, strict=False):
            self.found.types[name] = info if info.shape is not None else self._declared(name, info)
        self.found.values |= flow.holds(body) if flow else {}

    def _join(self, node: OpNode) -> None:
        """Joins after the bodies: repeat a loop whose carried shapes changed with those dims open, then the outputs."""
        for path in node.bodies:
            if path not in self._entered:
                self._enter(path)
        self._known_inputs(node)
        call = call_of(node, self.found)
        bodies = [self.graph.bodies[path] for path in node.bodies]
        flow = CONTROL_FLOW.get(node.op_type)
        if flow is None:
            self.found.trips |= {
                path: Trips(None, f"{node.op_type} decides while it runs") for path in node.bodies
            }
            self._store(node, [self._declared(name, UNKNOWN) for name in node.outputs], "declared")
            return
        for body in bodies:
            self._settle(body, flow.carried(call, body))
        self.found.trips |= self._runnable(bodies, flow.trips(call, bodies, self.found.values))
        outputs = flow.leave(call, bodies, self.found.types, self.found.trips)
        outputs = [
            info if info.shape is not None else self._declared(name, info)
            for name, info in zip(node.outputs, outputs, strict=False)
        ]
        self._store(node, outputs, "rule")

    def _runnable(self, bodies: list[Body], trips: dict[str, Trips]) -> dict[str, Trips]:
        """What a body that does not run contradicts is no problem; an alternative that contradicts cannot run."""
        inside = {body.path: {node.id for node in self._members.get(body.path, [])} for body in bodies}
        broken = {path: [p for p in self.found.problems if p.node in ids] for path, ids in inside.items()}
        able = [body for body in bodies if trips[body.path].count != 0]
        failing = [body.path for body in able if body.alternative and broken[body.path]]
        if len(failing) < len(able):
            trips = trips | {
                path: Trips(0, f"cannot run at these dims: {broken[path][0].message}") for path in failing
            }
            self.found.refused += [problem for path in failing for problem in broken[path]]
        idle = {node for path, ids in inside.items() if trips[path].count == 0 for node in ids}
        self.found.problems = [problem for problem in self.found.problems if problem.node not in idle]
        self.found.emptied = "" if self.found.emptied in idle else self.found.emptied
        return trips

    def _settle(self, body: Body, carried: list[tuple[str, str]]) -> None:
        changed = False
        for formal, result in carried:
            before, after = self.found.types.get(formal, UNKNOWN), self.found.types.get(result, UNKNOWN)
            general = _general(before, after)
            if general != before:
                self.found.types[formal] = general
                changed = True
        if changed:
            members = self._members.get(body.path, [])
            for node in members:
                self._entered.difference_update(node.bodies)
                for name in node.outputs:
                    self.found.values.pop(name, None)
            for node in members:
                self._visit(node)

    # Operators

    def _known_inputs(self, node: OpNode) -> None:
        """Read the small constants that an operator takes, once."""
        for name in node.inputs:
            if name in self.found.values or name not in self.graph.constants:
                continue
            constant = self.graph.constants[name]
            most = VALUE_LIMIT if constant.dtype.kind in {"int", "uint", "bool"} else FLOATS_FOLLOWED
            if constant.size <= most and constant.dtype.kind != "string":
                self._keep(name, constant.array())

    def _keep(self, name: str, value: NDArray[Any]) -> None:
        """Follow a value while all together are small: each operator of a small file could make another."""
        if value.size <= self._room:
            self._room -= value.size
            self.found.values[name] = value

    def _infer(self, node: OpNode) -> None:
        inputs = self.found.infos(node.inputs)
        values = [self._telling(name) for name in node.inputs]
        source = "onnx"
        try:
            outputs = self.graph.oracle.infer(node, inputs, values)
            rule = self._rules.get(node.op_type, node.domain)
            if rule and any(info.static is None for info in outputs):
                call = OpCall(
                    node.op_type,
                    inputs,
                    tuple(outputs),
                    node.attributes,
                    tuple(self.found.values.get(name) for name in node.inputs),
                    node.domain,
                    node.opset,
                )
                outputs = [_better(ours, info) for ours, info in zip(rule(call), outputs, strict=False)]
                source = "rule"
            refuse(OpCall(node.op_type, inputs, tuple(outputs), node.attributes, (), node.domain, node.opset))
        except OperatorError as error:
            # onnxruntime is laxer in places (Range takes tensors of one element): what can be evaluated can run.
            evaluated = self._evaluated(node)
            if evaluated is None:
                self._contradiction(node, str(error))
                return
            outputs, source = evaluated, "rule"
        except BadCallError as error:
            self._contradiction(node, f"node '{node.id}' ({node.op_type}): {error}")
            return
        except UnknownFactError:
            outputs = list(outputs)
        if any(info.shape is None for info in outputs):
            declared = [self._declared(name, info) for name, info in zip(node.outputs, outputs, strict=False)]
            source = "declared" if declared != outputs else source
            outputs = declared
        filled = [self._filled(name, info) for name, info in zip(node.outputs, outputs, strict=False)]
        self._store(node, filled, source if filled == outputs else "declared")

    def _filled(self, name: str, info: TensorInfo) -> TensorInfo:
        """Open dims as the file declares them, by symbols inside the model that the user has given."""
        declared = self.graph.tensors.get(name)
        if not self._inner or info.shape is None or info.static is not None or declared is None:
            return info
        if declared.shape is None or len(declared.shape) != len(info.shape):
            return info
        known = bound(declared, self.dims.values).shape or ()
        return TensorInfo(
            info.dtype, tuple(a if isinstance(a, int) else b for a, b in zip(info.shape, known, strict=True))
        )

    def _evaluated(self, node: OpNode) -> list[TensorInfo] | None:
        """The outputs of an operator whose inputs are all known and that our own rule can evaluate."""
        rule = self._value_rules.get(node.op_type, node.domain)
        if rule is None or not all(name in self.found.values for name in node.inputs if name):
            return None
        first = self.found.types[node.inputs[0]] if node.inputs and node.inputs[0] else UNKNOWN
        try:
            return [TensorInfo(first.dtype, tuple(value.shape)) for value in rule(call_of(node, self.found))]
        except (UnknownFactError, BadCallError):
            return None

    def _telling(self, name: str) -> NDArray[Any] | None:
        """The value where it can tell about a shape."""
        value = self.found.values.get(name)
        if value is None or (value.dtype.kind == "f" and value.size > _FLOAT_VALUE_LIMIT):
            return None
        return value

    def _declared(self, name: str, info: TensorInfo) -> TensorInfo:
        """Type that the file says of a tensor, where nothing better is known and nobody changed the inputs."""
        declared = self.graph.tensors.get(name)
        if declared is None or self.dims.overridden or declared.shape is None:
            return info
        return bound(declared, self.dims.values)

    def _contradiction(self, node: OpNode, message: str) -> None:
        self.found.problems.append(Contradiction(node.id, message))
        self._store(node, [UNKNOWN] * len(node.outputs), "unknown")

    def _store(self, node: OpNode, outputs: list[TensorInfo], source: str) -> None:
        known = True
        for name, inferred in zip(node.outputs, outputs, strict=False):
            if name:
                info = inferred
                if info.static is None and name in self._observed:
                    info, source = TensorInfo(info.dtype, self._observed[name]), "observed"
                self.found.types[name] = info
                known = known and info.shape is not None
                if info.shape is not None and 0 in info.shape and not self.found.emptied:
                    self._note_empty(node)
        self.found.sources[node.id] = source if known else "unknown"

    def _note_empty(self, node: OpNode) -> None:
        """Remember the first operator that makes nothing of something: the dims are too small for it."""
        inputs = (self.found.types.get(name, UNKNOWN).shape for name in node.inputs[:1] if name)
        if any(shape is not None and 0 not in shape and len(shape) > 2 for shape in inputs):
            self.found.emptied = node.id

    def _evaluate(self, node: OpNode) -> None:
        rule = self._value_rules.get(node.op_type, node.domain)
        if rule is None:
            return
        present = [name for name in node.inputs if name]
        if all(name in self.found.constant for name in present):
            self.found.constant.update(name for name in node.outputs if name)
        shape_only = node.op_type in {"Shape", "Size"}
        if not shape_only and not (present and all(name in self.found.values for name in present)):
            return
        outputs = self.found.infos(node.outputs)
        if any(
            info is not None and info.static is not None and _size(info.static) > VALUE_LIMIT
            for info in outputs
        ):
            return
        try:
            results = rule(call_of(node, self.found))
        except (UnknownFactError, BadCallError):
            return
        for name, value in zip(node.outputs, results, strict=False):
            if name and value.size <= (VALUE_LIMIT if value.dtype.kind in "iub" else FLOATS_FOLLOWED):
                self._keep(name, value)
                info = self.found.types.get(name, UNKNOWN)
                self.found.types[name] = TensorInfo(info.dtype, tuple(value.shape))


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for dim in shape:
        size *= dim
    return size


def _better(ours: TensorInfo, theirs: TensorInfo) -> TensorInfo:
    """The shape of the two that says more; a type that either knows."""
    dtype = theirs.dtype or ours.dtype
    if theirs.static is not None or ours.shape is None:
        return TensorInfo(dtype, theirs.shape)
    return TensorInfo(dtype, ours.shape)


def _general(before: TensorInfo, after: TensorInfo) -> TensorInfo:
    """The type that covers both: dims that differ are open, a rank that differs leaves no shape."""
    if before.shape is None or after.shape is None or len(before.shape) != len(after.shape):
        return TensorInfo(before.dtype, None) if before.shape != after.shape else before
    dims = (a if a == b else None for a, b in zip(before.shape, after.shape, strict=True))
    return TensorInfo(before.dtype, tuple(dims))


def fit_of(graph: ModelGraph, dims: Dims) -> DimsFit:
    """Tells whether no operator contradicts these dims and none is left with nothing to work on."""
    found = infer(graph, dims)
    if found.problems or found.emptied:
        return DimsFit.NOT
    return DimsFit.PARTLY if found.refused else DimsFit.WHOLLY
