"""If, Loop and Scan: channels enter a body, and what it gives leaves by its operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnea_graph.channels.graph import ChannelTensor
from nnea_graph.channels.rule_context.join_shares import JoinShare, carried
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import channels
from nnea_graph.channels.rule_context.state import ChannelGraphBuilder
from nnea_graph.graph import Body, OpNode

UNROLLED = "loop: unrolled once"
BRANCH = "branch: alternatives in equal shares"

Passage = tuple[str, str, int | None]
"""Source, target and the axis that goes: None for none, -1 and -2 for the first and the first two."""


def enter(draft: ChannelGraphBuilder, body: Body) -> None:
    """Lead channels from the inputs of a body's operator to those of the body."""
    owner = draft.sight.graph.node(body.owner)
    passages = _ENTRIES.get(owner.op_type, _nothing)
    for source, target, axis in passages(draft, owner, body):
        _pass(draft, owner, source, target, axis)


def _nothing(draft: ChannelGraphBuilder, owner: OpNode, body: Body) -> Iterator[Passage]:
    del draft, owner, body
    yield from ()


def _loop(draft: ChannelGraphBuilder, owner: OpNode, body: Body) -> Iterator[Passage]:
    """Carried values."""
    del draft
    yield from ((a, b, None) for a, b in zip(owner.inputs[2:], body.inputs[2:], strict=False))


def _scan(draft: ChannelGraphBuilder, owner: OpNode, body: Body) -> Iterator[Passage]:
    """States as they are, scanned inputs without their axis; up to opset 8 all by sample."""
    old = owner.opset < 9
    given = owner.inputs[1:] if old else owner.inputs
    states = len(given) - int(owner.attributes.get("num_scan_inputs", 0))
    axes: Sequence[int] = owner.attributes.get("scan_input_axes") or [0] * len(given)
    for place, (source, target) in enumerate(zip(given, body.inputs, strict=False)):
        if old:
            yield source, target, -1 if place < states else -2
        elif place < states or not source:
            yield source, target, None
        else:
            yield source, target, int(axes[place - states]) % len(draft.dims(source))


_ENTRIES = {"Loop": _loop, "Scan": _scan}


def _pass(draft: ChannelGraphBuilder, owner: OpNode, source: str, target: str, axis: int | None) -> None:
    """Lead channels through; ``axis`` goes, -1 and -2 are the first one and the first two."""
    tensor = draft.tensors.get(source)
    if tensor is None or not target:
        return
    gone = {axis} if axis is not None and axis >= 0 else set(range(-(axis or 0)))
    if any(each in gone for each in tensor.real):
        draft.end(owner, source, "scanned along its channels")
        return
    kept = [
        (each - sum(other < each for other in gone), dim)
        for each, dim in zip(tensor.axes, tensor.dims, strict=True)
        if each not in gone
    ]
    inner = ChannelTensor(target, tuple(each for each, _ in kept), tuple(dim for _, dim in kept))
    parts = [JoinShare(tensor, np.arange(tensor.count))]
    draft.lead(inner, carried(draft.sight, owner.id, inner, parts, UNROLLED))


@channels("If")
def choose(site: OpContext) -> None:
    """Channels that the branches that can run give, in equal shares."""
    sight = site.draft.sight
    bodies = [sight.graph.bodies[path] for path in site.node.bodies if path not in sight.idle]
    for output in range(len(site.node.outputs)):
        given = [
            site.draft.tensors.get(body.outputs[output]) for body in bodies if output < len(body.outputs)
        ]
        found = [tensor for tensor in given if tensor is not None]
        alike = [tensor for tensor in found if (tensor.axes, tensor.dims) == (found[0].axes, found[0].dims)]
        if alike:
            target = site.target(output, alike[0].axes, alike[0].dims)
            parts = [JoinShare(tensor, np.arange(tensor.count)) for tensor in alike]
            site.lead(target, parts, BRANCH if len(bodies) > 1 else "")


@channels("Loop")
def leave_loop(site: OpContext) -> None:
    """Final values, then what each trip gave, stacked along a new first axis."""
    body = _only_body(site)
    if body is None:
        return
    carried_ = len(body.inputs) - 2
    for output, name in enumerate(body.outputs[1:]):
        _leave(site, name, output, None if output < carried_ else 0)


@channels("Scan")
def leave_scan(site: OpContext) -> None:
    """Final states, then what each trip gave, stacked along its scan axis."""
    body = _only_body(site)
    if body is None:
        return
    old = site.node.opset < 9
    states = len(body.inputs) - int(site.call.attr("num_scan_inputs", 0))
    axes: Sequence[int] = site.call.attr("scan_output_axes") or [0] * len(body.outputs)
    for output, name in enumerate(body.outputs):
        if old:
            _leave(site, name, output, -1 if output < states else -2)
        elif output < states or not site.out(output):
            _leave(site, name, output, None)
        else:
            _leave(site, name, output, int(axes[output - states]) % len(site.out_dims(output)))


def _only_body(site: OpContext) -> Body | None:
    sight = site.draft.sight
    path = site.node.bodies[0]
    return None if path in sight.idle else sight.graph.bodies[path]


def _leave(site: OpContext, name: str, output: int, axis: int | None) -> None:
    """The reverse of ``_pass``: ``axis`` comes, -1 and -2 are one or two in front."""
    tensor = site.draft.tensors.get(name)
    if tensor is None or not site.out(output):
        return
    moved = [
        each - axis if axis is not None and axis < 0 else each + (axis is not None and each >= axis)
        for each in tensor.axes
    ]
    site.lead(site.target(output, moved, tensor.dims), [JoinShare(tensor, np.arange(tensor.count))], UNROLLED)
