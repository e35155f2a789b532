"""Convolutions and poolings: what a sliding window leaves of the spatial dims, in either layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import Shape, attribute, dims, info, known, results, shape
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.shape_rules import ShapeRule


@dataclass(frozen=True, slots=True)
class Window:
    """The attributes of a sliding window, one entry an axis; ``pads`` holds all begins, then all ends."""

    kernel: tuple[Dim, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str
    ceil: bool


def _numbers(call: OpCall, name: str, count: int, default: int, least: int) -> tuple[int, ...]:
    found = call.attr(name) or (default,) * count
    if len(found) != count or not all(isinstance(number, int) and number >= least for number in found):
        raise BadCallError(f"{name} of {call.op_type} is {list(found)}, not {count} numbers from {least}")
    return tuple(found)


def window(call: OpCall, axes: int, weight: Sequence[Dim] | None = None) -> Window:
    """The window; the kernel's size comes from the attribute or from the weight's spatial dims."""
    listed = call.attr("kernel_shape")
    kernel = _numbers(call, "kernel_shape", axes, 1, 1) if listed else tuple(weight or (None,) * axes)
    if len(kernel) != axes:
        raise BadCallError(f"{call.op_type} has a kernel of {len(kernel)} axes for {axes} spatial dims")
    auto_pad = call.attr("auto_pad", "NOTSET")
    return Window(
        kernel,
        _numbers(call, "strides", axes, 1, 1),
        _numbers(call, "dilations", axes, 1, 1),
        _numbers(call, "pads", 2 * axes, 0, -(2**31)),
        auto_pad.decode("utf-8", "replace") if isinstance(auto_pad, bytes) else str(auto_pad),
        bool(call.attr("ceil_mode", 0)),
    )


def slid(spatial: Sequence[Dim], w: Window) -> tuple[Dim, ...]:
    """Positions of the window on each axis."""
    axes = len(spatial)
    return tuple(
        _positions(dim, w, axis, w.pads[axis], w.pads[axes + axis]) for axis, dim in enumerate(spatial)
    )


def _positions(dim: Dim, w: Window, axis: int, before: int, after: int) -> Dim:
    kernel, stride = w.kernel[axis], w.strides[axis]
    if w.auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        return _ceil(dim, stride)
    if not isinstance(dim, int) or not isinstance(kernel, int):
        return None
    padded = dim if w.auto_pad == "VALID" else dim + before + after
    room = padded - (w.dilations[axis] * (kernel - 1) + 1)
    if room < 0:
        raise BadCallError(f"a window over {kernel} elements does not fit a dim of {dim}")
    if not w.ceil:
        return room // stride + 1
    steps = -(-room // stride)
    # A last window that would start in the padding behind is left out, as onnxruntime does.
    return steps if w.auto_pad != "VALID" and steps * stride >= dim + before else steps + 1


def _ceil(dim: Dim, stride: int) -> Dim:
    if isinstance(dim, int):
        return -(-dim // stride)
    return dim if stride == 1 else None


def _split(x: Shape, *, last: bool) -> tuple[Dim, Dim, Shape]:
    """Batch, channels, spatial dims."""
    if len(x) < 3:
        raise BadCallError(f"a window cannot slide over a tensor of {len(x)} dimensions")
    return (x[0], x[-1], x[1:-1]) if last else (x[0], x[1], x[2:])


def _joined(batch: Dim, channels: Dim, spatial: Shape, *, last: bool) -> Shape:
    return (batch, *spatial, channels) if last else (batch, channels, *spatial)


def _is_last(call: OpCall) -> bool:
    return call.op_type.startswith("Nhwc") or bool(call.attr("channels_last", 0))


def convolved(call: OpCall, weight: int, *, last: bool) -> Shape | None:
    """Output of a convolution, its filters in the order M x C/g x kernel."""
    x, w = dims(call, 0), dims(call, weight)
    if x is None:
        return None
    batch, _, spatial = _split(x, last=last)
    if w is not None and len(w) != len(x):
        raise BadCallError(f"{call.op_type} has filters of {len(w)} dimensions for data of {len(x)}")
    positions = slid(spatial, window(call, len(spatial), w[2:] if w else None))
    return _joined(batch, w[0] if w else None, positions, last=last)


def _convolution(*op_types: str, weight: int = 1, dtype: int = 0) -> None:
    def rule(call: OpCall) -> list[TensorInfo]:
        return results(call, info(call.dtype(dtype), convolved(call, weight, last=_is_last(call))))

    shape(*op_types, domain=MICROSOFT)(rule)


_convolution("FusedConv", "NhwcConv", "NhwcFusedConv")
_convolution("QLinearConv", weight=3, dtype=7)


def pooled(call: OpCall, *, last: bool) -> Shape | None:
    """Output of a pooling."""
    x = dims(call, 0)
    if x is None:
        return None
    batch, channels, spatial = _split(x, last=last)
    return _joined(batch, channels, slid(spatial, window(call, len(spatial))), last=last)


@shape("NhwcMaxPool", "QLinearAveragePool", "MaxpoolWithMask", domain=MICROSOFT)
def pooling(call: OpCall) -> list[TensorInfo]:
    """Same channels, fewer positions."""
    return results(call, info(call.dtype(0), pooled(call, last=_is_last(call))))


def global_pooling(*, last: bool | None = None) -> ShapeRule:
    """The rule of poolings to one position; the layout comes from the call unless it is given."""

    def rule(call: OpCall) -> list[TensorInfo]:
        x = dims(call, 0)
        if x is None:
            return results(call, info(call.dtype(0), None))
        ends = _is_last(call) if last is None else last
        batch, channels, spatial = _split(x, last=ends)
        return results(call, info(call.dtype(0), _joined(batch, channels, (1,) * len(spatial), last=ends)))

    return rule


shape("QLinearGlobalAveragePool", domain=MICROSOFT)(global_pooling())


@shape("ConvTransposeWithDynamicPads", domain=MICROSOFT)
def transposed_convolution(call: OpCall) -> list[TensorInfo]:
    """``stride * (dim - 1) + output_padding + extent - pads``; the pads are the third input."""
    x, w = dims(call, 0), dims(call, 1)
    if x is None or w is None or len(x) < 3 or len(w) != len(x):
        return results(call, info(call.dtype(0), None))
    axes = len(x) - 2
    frame = window(call, axes, w[2:])
    extra = _numbers(call, "output_padding", axes, 0, 0)
    pads = known(call, 2) if call.has(2) else [0] * 2 * axes
    spatial = tuple(_grown(dim, frame, axis, extra[axis], pads) for axis, dim in enumerate(x[2:]))
    filters, groups = w[1], attribute(call, "group", 1)
    channels = filters * groups if isinstance(filters, int) else None
    return results(call, info(call.dtype(0), (x[0], channels, *spatial)))


def _grown(dim: Dim, w: Window, axis: int, extra: int, pads: list[int] | None) -> Dim:
    kernel, axes = w.kernel[axis], len(w.kernel)
    if pads is None or len(pads) != 2 * axes or not isinstance(dim, int) or not isinstance(kernel, int):
        return None
    extent = w.dilations[axis] * (kernel - 1) + 1
    return w.strides[axis] * (dim - 1) + extra + extent - pads[axis] - pads[axes + axis]
