"""Operators that are given sizes: the sizes shrink with the channels."""

from __future__ import annotations

import numpy as np

from nnea_graph.rewrite.surgery.edit import Edit, edit, sizes


@edit("Reshape")
def reshape(change: Edit) -> None:
    """The new lengths of axes that lose indices; -1 and 0 still say what they said."""
    output, x = change.node.outputs[0], change.node.inputs[0]
    lengths = change.loses(output)
    if len(change.node.inputs) < 2:
        listed = [int(dim) for dim in change.node.attributes["shape"]]
        change.set_attribute(
            "shape", [_asked(change, x, listed, axis, lengths) for axis in range(len(listed))]
        )
        return
    known, constant = change.value(1), change.node.inputs[1] in change.found.constant
    if known is not None:
        listed = [int(dim) for dim in known]
        asked = {axis: _asked(change, x, listed, axis, lengths) for axis in lengths}
        lengths = {axis: size for axis, size in asked.items() if not constant or size != listed[axis]}
        lengths = {axis: size for axis, size in lengths.items() if size > 0}
    change.retarget(1, lengths)


def _asked(change: Edit, x: str, listed: list[int], axis: int, lengths: dict[int, int]) -> int:
    """Size that is written for an axis: -1 takes what is left, 0 the input's length where that shrinks alike."""
    if axis not in lengths or listed[axis] == -1:
        return listed[axis]
    copied = listed[axis] == 0 and not change.node.attributes.get("allowzero", 0)
    return 0 if copied and change.length(x, axis) == lengths[axis] else lengths[axis]


@edit("Expand", "ConstantOfShape")
def to_shape(change: Edit) -> None:
    """A shape counted from the back, as it is broadcast; 1 leaves what is there."""
    output, port = change.node.outputs[0], 0 if change.node.op_type == "ConstantOfShape" else 1
    rank, length = len(change.dims(output)), change.dims(change.node.inputs[port])[0] or 0
    known = change.value(port)
    wanted = {axis - rank + length: size for axis, size in change.loses(output).items()}
    change.retarget(
        port, {at: n for at, n in wanted.items() if at >= 0 and (known is None or known[at] != 1)}
    )


@edit("Tile")
def tile(change: Edit) -> None:
    """Copies of what is left; only an axis of length 1 can lose copies."""
    x, output = change.node.inputs[0], change.node.outputs[0]
    change.retarget(
        1, {axis: size for axis, size in change.loses(output).items() if change.dims(x)[axis] == 1}
    )


@edit("Resize")
def resize(change: Edit) -> None:
    """Sizes of axes that run through; scales of them are 1 and stay."""
    if len(change.node.inputs) < 4 or not change.node.inputs[3]:
        return
    axes = [
        int(axis)
        for axis in change.node.attributes.get("axes") or range(len(change.dims(change.node.inputs[0])))
    ]
    lost = change.loses(change.node.outputs[0])
    change.retarget(3, {place: lost[axis] for place, axis in enumerate(axes) if axis in lost})


@edit("Split")
def split(change: Edit) -> None:
    """The lengths of the parts, written out."""
    x = change.node.inputs[0]
    axis = int(change.node.attributes.get("axis", 0)) % len(change.dims(x))
    if axis not in change.loses(x):
        return
    lengths = [change.length(name, axis) for name in change.node.outputs]
    if change.node.opset < 13:
        change.set_attribute("split", lengths)
        return
    change.drop_attribute("num_outputs")
    change.set_input(1, sizes(lengths))


@edit("Slice")
def cut(change: Edit) -> None:
    """The bounds of the run among the indices that stay."""
    x = change.node.inputs[0]
    rank, lost = len(change.dims(x)), change.loses(x)
    starts, ends, axes = (
        _bound(change, index, name) for index, name in ((1, "starts"), (2, "ends"), (3, "axes"))
    )
    if starts is None or ends is None:
        return
    firsts, lasts = {}, {}
    for place, axis in enumerate(axis % rank for axis in axes or range(len(starts))):
        length = change.dims(x)[axis]
        if axis in lost and length is not None:
            first, last, _ = slice(starts[place], ends[place]).indices(length)
            stay = change.stay(x, axis)
            firsts[place], lasts[place] = int((stay < first).sum()), int((stay < last).sum())
    for index, name, listed, wanted in ((1, "starts", starts, firsts), (2, "ends", ends, lasts)):
        if len(change.node.inputs) > 1:
            change.replace(index, wanted)
        elif wanted:
            change.set_attribute(name, [wanted.get(place, old) for place, old in enumerate(listed)])


def _bound(change: Edit, index: int, name: str) -> list[int] | None:
    if len(change.node.inputs) < 2:
        return [int(number) for number in change.node.attributes.get(name) or ()]
    known = change.value(index) if index < len(change.node.inputs) and change.node.inputs[index] else None
    return None if known is None else [int(number) for number in known.reshape(-1)]


@edit("Pad")
def pad(change: Edit) -> None:
    """Fewer indices are added where some of them go, fewer cut off where they went before."""
    x, output = change.node.inputs[0], change.node.outputs[0]
    rank = len(change.dims(x))
    old = len(change.node.inputs) < 2
    attribute = "paddings" if "paddings" in change.node.attributes else "pads"
    known = change.node.attributes.get(attribute) if old else change.value(1)
    listed = change.value(3) if len(change.node.inputs) > 3 and change.node.inputs[3] else None
    axes = [int(axis) % rank for axis in (range(rank) if listed is None else listed)]
    if known is None or not {*change.loses(output), *change.loses(x)} & set(axes):
        return
    amounts = [int(number) for number in known]
    wanted: dict[int, int] = {}
    for place, axis in enumerate(axes):
        if axis in change.loses(output) or axis in change.loses(x):
            ends = _amounts(change, axis, amounts[place], amounts[place + len(axes)])
            wanted |= zip((place, place + len(axes)), ends, strict=True)
    if old:
        change.set_attribute(attribute, [wanted.get(place, amount) for place, amount in enumerate(amounts)])
    else:
        change.replace(1, wanted)


def _amounts(change: Edit, axis: int, before: int, after: int) -> tuple[int, int]:
    x, output = change.node.inputs[0], change.node.outputs[0]
    length, wide = change.dims(x)[axis] or 0, change.dims(output)[axis] or 0
    stay, wider = change.stay(x, axis), change.stay(output, axis)
    first = int((wider < before).sum()) if before > 0 else -int((stay < -before).sum())
    last = int((wider >= wide - after).sum()) if after > 0 else -int((stay >= length + after).sum())
    return first, last


@edit("Gather")
def gather(change: Edit) -> None:
    """Known positions, counted anew."""
    x, output, known = change.node.inputs[0], change.node.outputs[0], change.shaped_value(1)
    rank = len(change.dims(x))
    axis = int(change.node.attributes.get("axis", 0)) % rank
    lost = axis in change.loses(x) or (known is not None and known.ndim == 1 and axis in change.loses(output))
    if known is None or known.ndim != 1 or not lost:
        return
    chosen = known[change.stay(output, axis)] % (change.dims(x)[axis] or 1)
    change.set_input(1, np.searchsorted(change.stay(x, axis), chosen).astype(known.dtype))
