"""If, Loop and Scan: what enters a body, how often it runs, what leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnea_graph.graph import Body, Dim, TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import OpCall

_UNKNOWN = TensorInfo(None, None)
_SCALAR_INT = TensorInfo(BY_NAME["int64"], ())
_SCALAR_BOOL = TensorInfo(BY_NAME["bool"], ())

_ENDLESS = 1 << 30
"""Trips that are no bound: exporters write the largest number where only the condition ends a loop."""

Types = Mapping[str, TensorInfo]
Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Trips:
    """Number of times that a body runs each time its owner does; ``count`` is None where the data decide.

    ``bound`` says that ``count`` is the most, as a condition may end the loop earlier.
    """

    count: int | None
    reason: str = ""
    bound: bool = False


class ControlFlow(Protocol):
    """One operator with bodies."""

    def enter(self, call: OpCall, body: Body) -> list[TensorInfo]:
        """Types of the body's inputs."""
        ...

    def carried(self, call: OpCall, body: Body) -> list[tuple[str, str]]:
        """(input, output) of the body for each value that one trip hands to the next."""
        ...

    def holds(self, body: Body) -> dict[str, NDArray[Any]]:
        """Values that inputs of the body have whenever it runs."""
        ...

    def trips(self, call: OpCall, bodies: Sequence[Body], values: Values) -> dict[str, Trips]:
        """Number of times that each body runs."""
        ...

    def leave(
        self, call: OpCall, bodies: Sequence[Body], types: Types, trips: Mapping[str, Trips]
    ) -> list[TensorInfo]:
        """Types of the operator's outputs."""
        ...


class If:
    """One of two bodies runs; which one is known only where the condition is."""

    def enter(self, call: OpCall, body: Body) -> list[TensorInfo]:
        """Branches take no inputs."""
        return []

    def carried(self, call: OpCall, body: Body) -> list[tuple[str, str]]:
        """Nothing is carried."""
        return []

    def holds(self, body: Body) -> dict[str, NDArray[Any]]:
        """Branches take no inputs."""
        return {}

    def trips(self, call: OpCall, bodies: Sequence[Body], values: Values) -> dict[str, Trips]:
        """1 for both where the condition is not known: they are alternatives."""
        condition = call.values[0] if call.values else None
        if condition is None or condition.size != 1:
            return {body.path: Trips(1) for body in bodies}
        taken = "then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"
        return {
            body.path: Trips(1) if body.attribute == taken else Trips(0, "the condition is constant")
            for body in bodies
        }

    def leave(
        self, call: OpCall, bodies: Sequence[Body], types: Types, trips: Mapping[str, Trips]
    ) -> list[TensorInfo]:
        """Facts that all branches that may run agree on."""
        running = [body for body in bodies if trips[body.path].count != 0]
        columns = zip(
            *([types.get(name, _UNKNOWN) for name in body.outputs] for body in running), strict=False
        )
        return [_agreed(column) for column in columns]


def _agreed(infos: Sequence[TensorInfo]) -> TensorInfo:
    first = infos[0]
    shapes = [info.shape for info in infos]
    if first.shape is None or any(shape is None or len(shape) != len(first.shape) for shape in shapes):
        return TensorInfo(first.dtype, None)
    dims = (
        column[0] if len(set(column)) == 1 else None
        for column in zip(*(s or () for s in shapes), strict=True)
    )
    return TensorInfo(first.dtype, tuple(dims))


class Loop:
    """Runs its body up to M times, while a condition holds."""

    def enter(self, call: OpCall, body: Body) -> list[TensorInfo]:
        """Iteration number, condition, carried values."""
        return [_SCALAR_INT, _SCALAR_BOOL, *(info or _UNKNOWN for info in call.inputs[2:])]

    def carried(self, call: OpCall, body: Body) -> list[tuple[str, str]]:
        """Body inputs after the first two, body outputs after the first."""
        return list(zip(body.inputs[2:], body.outputs[1:], strict=False))

    def holds(self, body: Body) -> dict[str, NDArray[Any]]:
        """The condition is true, or the body would not run."""
        return {name: np.array(True) for name in body.inputs[1:2]}

    def trips(self, call: OpCall, bodies: Sequence[Body], values: Values) -> dict[str, Trips]:
        """M where it is a constant; the most, where the body makes a condition of its own."""
        body = bodies[0]
        start = call.values[1] if len(call.values) > 1 else None
        if start is not None and start.size == 1 and not bool(start.reshape(-1)[0]):
            return {body.path: Trips(0, "the condition is false from the start")}
        most = call.values[0] if call.values else None
        if most is None or most.size != 1:
            return {body.path: Trips(None, "the trip count depends on the data")}
        count = max(0, int(most.reshape(-1)[0]))
        starts = start is not None or len(call.inputs) < 2 or call.inputs[1] is None
        bound = not (starts and self._runs_on(body, values))
        if bound and count > _ENDLESS:
            return {body.path: Trips(None, "a condition that depends on the data ends the loop")}
        return {body.path: Trips(count, bound=bound)}

    @staticmethod
    def _runs_on(body: Body, values: Values) -> bool:
        """Tells whether the condition that the body makes is true wherever the one that it got is."""
        made = body.outputs[0]
        return made in values and bool(values[made].all())

    def leave(
        self, call: OpCall, bodies: Sequence[Body], types: Types, trips: Mapping[str, Trips]
    ) -> list[TensorInfo]:
        """Carried values as they are, scan outputs stacked along a new first axis."""
        body = bodies[0]
        carried = len(body.inputs) - 2
        found = trips[body.path]
        length = None if found.bound else found.count
        final = [types.get(name, _UNKNOWN) for name in body.inputs[2:]]
        return final + [
            _stacked(types.get(name, _UNKNOWN), length, 0) for name in body.outputs[1 + carried :]
        ]


def _stacked(info: TensorInfo, length: Dim, axis: int) -> TensorInfo:
    if info.shape is None:
        return info
    place = axis if axis >= 0 else len(info.shape) + 1 + axis
    return TensorInfo(info.dtype, (*info.shape[:place], length, *info.shape[place:]))


class Scan:
    """Runs its body once for every slice of its scan inputs; up to opset 8 for every sample of a batch."""

    def enter(self, call: OpCall, body: Body) -> list[TensorInfo]:
        """State as it is, scan inputs without their scan axis; both without a batch axis."""
        states, scans = self._split(call)
        if _batched(call):
            return [_sliced(info, 0) for info in states] + [_sliced(_sliced(info, 0), 0) for info in scans]
        return states + [
            _sliced(info, axis) for info, axis in zip(scans, _axes(call, "input", scans), strict=False)
        ]

    def carried(self, call: OpCall, body: Body) -> list[tuple[str, str]]:
        """The state."""
        states, _ = self._split(call)
        return list(zip(body.inputs[: len(states)], body.outputs[: len(states)], strict=False))

    def holds(self, body: Body) -> dict[str, NDArray[Any]]:
        """No input of the body is known."""
        return {}

    def trips(self, call: OpCall, bodies: Sequence[Body], values: Values) -> dict[str, Trips]:
        """The length of the scan axis, for every sample of a batch."""
        length, reason = self._length(call)
        batch = self._batch(call) if _batched(call) else 1
        if length is None or not isinstance(batch, int):
            return {bodies[0].path: Trips(None, reason or "the batch is not known")}
        shorter = _batched(call) and call.has(0)
        return {bodies[0].path: Trips(length * batch, bound=shorter)}

    def leave(
        self, call: OpCall, bodies: Sequence[Body], types: Types, trips: Mapping[str, Trips]
    ) -> list[TensorInfo]:
        """Final state, then outputs stacked along their scan axis."""
        body = bodies[0]
        states, _ = self._split(call)
        length, _ = self._length(call)
        final = [types.get(name, _UNKNOWN) for name in body.inputs[: len(states)]]
        stacked = [types.get(name, _UNKNOWN) for name in body.outputs[len(states) :]]
        if _batched(call):
            batch = self._batch(call)
            stacked = [_stacked(_stacked(info, length, 0), batch, 0) for info in stacked]
            return [_stacked(info, batch, 0) for info in final] + stacked
        axes = _axes(call, "output", stacked)
        return final + [_stacked(info, length, axis) for info, axis in zip(stacked, axes, strict=False)]

    @staticmethod
    def _split(call: OpCall) -> tuple[list[TensorInfo], list[TensorInfo]]:
        """States and scan inputs; up to opset 8 the lengths of the samples come before them."""
        inputs = [info or _UNKNOWN for info in call.inputs][1 if _batched(call) else 0 :]
        states = len(inputs) - int(call.attr("num_scan_inputs", 0))
        return inputs[:states], inputs[states:]

    def _length(self, call: OpCall) -> tuple[int | None, str]:
        _, scans = self._split(call)
        axes = [1] * len(scans) if _batched(call) else _axes(call, "input", scans)
        for info, axis in zip(scans, axes, strict=False):
            if info.shape is not None and -len(info.shape) <= axis < len(info.shape):
                length = info.shape[axis]
                if isinstance(length, int):
                    return length, ""
        return None, "the length of the scanned axis is not known"

    def _batch(self, call: OpCall) -> Dim:
        _, scans = self._split(call)
        return next((info.shape[0] for info in scans if info.shape), None)


def _batched(call: OpCall) -> bool:
    return call.opset < 9


def _axes(call: OpCall, side: str, infos: Sequence[TensorInfo]) -> Sequence[int]:
    axes: Sequence[int] = call.attr(f"scan_{side}_axes") or [0] * len(infos)
    return axes


def _sliced(info: TensorInfo, axis: int) -> TensorInfo:
    if info.shape is None or not -len(info.shape) <= axis < len(info.shape):
        return TensorInfo(info.dtype, None)
    place = axis % len(info.shape)
    return TensorInfo(info.dtype, info.shape[:place] + info.shape[place + 1 :])


CONTROL_FLOW: dict[str, ControlFlow] = {"If": If(), "Loop": Loop(), "Scan": Scan()}
