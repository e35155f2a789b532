"""Demands of If, Loop and Scan of their bodies, whatever the types are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnea_graph.errors import OperatorError
from nnea_graph.graph import Body, OpNode


class _MisfitError(Exception):
    """Fault of a body, before it is said where."""


def check_bodies(node: OpNode, bodies: Sequence[Body]) -> None:
    """Check the number of bodies, and of what goes into them and comes out.

    Raises:
        OperatorError: they do not fit the operator.
    """
    check = _CHECKS.get(node.op_type) if not node.domain else None
    if check is None:
        return
    try:
        check(node, {body.attribute: body for body in bodies})
    except _MisfitError as error:
        raise OperatorError(f"node '{node.id}' ({node.op_type}): {error}") from error


def _if(node: OpNode, bodies: dict[str, Body]) -> None:
    _need(len(node.inputs) == 1, f"it has {len(node.inputs)} inputs, not one condition")
    for name in ("then_branch", "else_branch"):
        branch = _named(bodies, name)
        _same(len(branch.inputs), 0, f"inputs of {name}")
        _same(len(branch.outputs), len(node.outputs), f"outputs of {name}")


def _loop(node: OpNode, bodies: dict[str, Body]) -> None:
    body = _named(bodies, "body")
    _need(len(node.inputs) >= 2, f"it has {len(node.inputs)} inputs, at least 2 are needed")
    _same(len(body.inputs), len(node.inputs), "inputs of its body")
    _need(len(body.outputs) >= len(node.inputs) - 1, "its body gives fewer values than it carries")
    _same(len(node.outputs), len(body.outputs) - 1, "outputs")


def _scan(node: OpNode, bodies: dict[str, Body]) -> None:
    body = _named(bodies, "body")
    scans = node.attributes.get("num_scan_inputs")
    _need(scans is not None, "attribute num_scan_inputs is missing")
    batched = node.opset < 9  # its first input, the lengths of the sequences, stays outside the body
    inputs = len(node.inputs) - batched
    _need(
        isinstance(scans, int) and 1 <= scans <= inputs, f"num_scan_inputs is {scans}, it has {inputs} inputs"
    )
    _same(len(body.inputs), inputs, "inputs of its body")
    _same(len(body.outputs), len(node.outputs), "outputs of its body")
    _need(len(body.outputs) >= inputs - int(scans or 0), "its body gives fewer values than it carries")
    states = inputs - int(scans or 0)
    _fits(node, ("scan_input_axes", "scan_input_directions"), inputs - states)
    _fits(node, ("scan_output_axes", "scan_output_directions"), len(body.outputs) - states)


def _fits(node: OpNode, names: Sequence[str], count: int) -> None:
    for name in names:
        if name in node.attributes:
            _same(len(node.attributes[name]), count, f"entries of {name}")


_CHECKS: dict[str, Callable[[OpNode, dict[str, Body]], None]] = {"If": _if, "Loop": _loop, "Scan": _scan}


def _named(bodies: dict[str, Body], name: str) -> Body:
    _need(name in bodies, f"attribute {name} is missing")
    return bodies[name]


def _need(holds: object, message: str) -> None:
    if not holds:
        raise _MisfitError(message)


def _same(found: int, needed: int, what: str) -> None:
    _need(found == needed, f"{what}: there are {found}, {needed} are needed")
