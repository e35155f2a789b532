"""Contrib operators that pick, place, pad or crop."""

from __future__ import annotations

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.ops.call import BadCallError, OpCall
from nnea_graph.ops.dim_arithmetic import (
    INT32,
    INT64,
    Shape,
    attribute,
    dims,
    info,
    known,
    plus,
    product,
    replaced,
    results,
    shape,
    times,
)
from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.ops.value_guards import axis_of
from nnea_graph.ops.values.cast import dtype_of


def _gathered(data: Shape | None, indices: Shape | None, axis: int) -> Shape | None:
    if data is None or indices is None:
        return None
    at = axis_of(axis, len(data))
    return (*data[:at], *indices, *data[at + 1 :])


@shape("GatherBlockQuantized", domain=MICROSOFT)
def gather_quantized(call: OpCall) -> list[TensorInfo]:
    """Same as ``Gather``, in the type of the scales; bytes hold several numbers along the last axis."""
    data, dtype = dims(call, 0), call.dtype(0)
    if data and dtype is not None and dtype.name == "uint8":
        data = replaced(data, -1, times(data[-1], 8 // max(attribute(call, "bits", 4), 1)))
    axis = attribute(call, "gather_axis")
    return results(call, info(call.dtype(2), _gathered(data, dims(call, 1), axis) if dtype else None))


@shape("GatherPacked", domain=MICROSOFT)
def gather_packed(call: OpCall) -> list[TensorInfo]:
    """One row of K numbers for each index."""
    indices, kind = dims(call, 1), call.attr("output_dtype")
    width = call.attr("K")
    return results(
        call, info(dtype_of(kind) if kind else None, None if indices is None else (*indices, width))
    )


@shape("TorchEmbedding", domain=MICROSOFT)
def embedding(call: OpCall) -> list[TensorInfo]:
    """One row for each index."""
    return results(call, info(call.dtype(0), _gathered(dims(call, 0, 2), dims(call, 1), 0)))


@shape("GatherND", domain=MICROSOFT)
def gather_nd(call: OpCall) -> list[TensorInfo]:
    """One slice for each index tuple."""
    data, indices = dims(call, 0), dims(call, 1)
    depth = indices[-1] if indices else None
    if data is None or not indices or not isinstance(depth, int):
        return results(call, info(call.dtype(0), None))
    if depth > len(data):
        raise BadCallError(f"GatherND reads {depth} axes of a tensor of {len(data)} dimensions")
    return results(call, info(call.dtype(0), (*indices[:-1], *data[depth:])))


@shape("ExpandDims", domain=MICROSOFT)
def expand_dims(call: OpCall) -> list[TensorInfo]:
    """A dim of 1 more."""
    x, axis = dims(call, 0), known(call, 1)
    if x is None:
        return results(call, info(call.dtype(0), None))
    if not axis:
        return results(call, info(call.dtype(0), (None,) * (len(x) + 1)))
    at = axis_of(axis[0], len(x) + 1)
    return results(call, info(call.dtype(0), (*x[:at], 1, *x[at:])))


@shape("Pad", domain=MICROSOFT)
def pad(call: OpCall) -> list[TensorInfo]:
    """Each dim and its two amounts."""
    x, amounts = dims(call, 0), known(call, 1)
    if x is None:
        return results(call, info(call.dtype(0), None))
    if amounts is None:
        return results(call, info(call.dtype(0), (None,) * len(x)))
    if len(amounts) != 2 * len(x):
        raise BadCallError(f"Pad has {len(amounts)} amounts for {len(x)} dimensions")
    grown = (plus(dim, amounts[axis] + amounts[axis + len(x)]) for axis, dim in enumerate(x))
    return results(call, info(call.dtype(0), tuple(grown)))


@shape("Unique", domain=MICROSOFT)
def unique(call: OpCall) -> list[TensorInfo]:
    """Counts depend on the data; each input has a place among them."""
    x = dims(call, 0)
    places: Dim = None if x is None else product(x)
    return results(call, info(call.dtype(0), (None,)), info(INT64, (places,)), info(INT64, (None,)))


@shape("CropAndResize", domain=MICROSOFT)
def crop_and_resize(call: OpCall) -> list[TensorInfo]:
    """Regions x channels x crop size."""
    x, regions, size = dims(call, 0, 4), dims(call, 1, 2), known(call, 3)
    if size is not None and len(size) != 2:
        raise BadCallError(f"CropAndResize has a crop size of {len(size)} numbers")
    count = regions[0] if regions else None
    return results(call, info(call.dtype(0), (count, x[1] if x else None, *(size or (None, None)))))


@shape("GridSample", domain=MICROSOFT)
def grid_sample(call: OpCall) -> list[TensorInfo]:
    """Batch x channels x the grid."""
    x, grid = dims(call, 0, 4), dims(call, 1, 4)
    if x is None and grid is None:
        return results(call, info(call.dtype(0), None))
    batch = x[0] if x else None
    return results(
        call, info(call.dtype(0), (batch, x[1] if x else None, *(grid[1:3] if grid else (None, None))))
    )


@shape("UnfoldTensor", domain=MICROSOFT)
def unfold(call: OpCall) -> list[TensorInfo]:
    """Windows along one axis, their elements on a new last one."""
    x, size, step = dims(call, 0), attribute(call, "size"), attribute(call, "step", 1)
    if size < 1 or step < 1:
        raise BadCallError(f"UnfoldTensor has windows of {size} in steps of {step}")
    if x is None:
        return results(call, info(call.dtype(0), None))
    axis = axis_of(attribute(call, "dim", -1), len(x))
    dim = x[axis]
    windows = (dim - size) // step + 1 if isinstance(dim, int) else None
    return results(call, info(call.dtype(0), (*x[:axis], windows, *x[axis + 1 :], size)))


@shape("RemovePadding", domain=MICROSOFT)
def remove_padding(call: OpCall) -> list[TensorInfo]:
    """Count of remaining tokens depends on the data."""
    x = dims(call, 0, 3)
    batch, length, width = x or (None, None, None)
    return results(
        call,
        info(call.dtype(0), (None, width)),
        info(INT32, (batch, length)),
        info(INT32, (plus(batch, 1),)),
        info(INT32, (1,)),
    )


@shape("RestorePadding", domain=MICROSOFT)
def restore_padding(call: OpCall) -> list[TensorInfo]:
    """Batch x tokens x width."""
    x, offsets = dims(call, 0, 2), dims(call, 1, 2)
    return results(call, info(call.dtype(0), (*(offsets or (None, None)), x[1] if x else None)))


@shape("RelativePositionBias", domain=MICROSOFT)
def relative_position_bias(call: OpCall) -> list[TensorInfo]:
    """1 x heads x queries x keys."""
    table, queries, keys = dims(call, 0, 2), known(call, 1), known(call, 2)
    lengths = [found[0] if found else None for found in (queries, keys)]
    return results(call, info(call.dtype(0), (1, table[1] if table else None, *lengths)))


@shape("GatedRelativePositionBias", domain=MICROSOFT)
def gated_position_bias(call: OpCall) -> list[TensorInfo]:
    """Batch x heads x tokens x tokens."""
    query, offsets, relative = dims(call, 0, 2, 3), dims(call, 6, 2), dims(call, 2, 4)
    padded = query if query is not None and len(query) == 3 else offsets
    heads = attribute(call, "num_heads") or (relative[1] if relative else None)
    batch, length = padded[:2] if padded else (None, relative[2] if relative else None)
    return results(call, info(call.dtype(0), (batch, heads, length, length)))


@shape("Rfft", domain=MICROSOFT)
def real_transform(call: OpCall) -> list[TensorInfo]:
    """The last signal axis becomes n // 2 + 1 where one-sided; real and imaginary part on a new axis."""
    x = dims(call, 0)
    if not x:
        return results(call, info(call.dtype(0), None))
    dim = x[-1]
    half = dim // 2 + 1 if isinstance(dim, int) else None
    return results(call, info(call.dtype(0), (*x[:-1], half if call.attr("onesided", 1) else dim, 2)))


@shape("Irfft", domain=MICROSOFT)
def inverse_real_transform(call: OpCall) -> list[TensorInfo]:
    """The signal axis becomes 2 * (n - 1) where one-sided; the axis of parts goes."""
    x = dims(call, 0)
    if x is None or len(x) < 2:
        return results(call, info(call.dtype(0), None))
    dim = x[-2]
    full = 2 * (dim - 1) if isinstance(dim, int) else None
    return results(call, info(call.dtype(0), (*x[:-2], full if call.attr("onesided", 1) else dim)))
