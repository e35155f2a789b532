"""Operators that move, repeat, choose or describe data and compute nothing."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, free, work
from nnea_graph.ops.registry import MICROSOFT

NCHWC = "com.microsoft.nchwc"
"""The domain of onnxruntime's blocked layout, in models that it has optimized and saved."""

free("is a stored value", "Constant")
free("fills a tensor with one value", "ConstantOfShape", "GivenTensorFill", "EyeLike")
free("passes its input on", "Identity", "MemcpyFromHost", "MemcpyToHost")
free("gives the same elements another shape", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
free("gives the same elements another shape", "ExpandDims", domain=MICROSOFT)
free("gives the same bits another type", "BitCast")
free("gives the same numbers another type", "Cast", "CastLike")
free("describes a tensor", "Shape", "Size")
free(
    "moves elements",
    "CenterCropPad",
    "Concat",
    "Crop",
    "DepthToSpace",
    "Expand",
    "MaxUnpool",
    "Pad",
    "ReverseSequence",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Tile",
    "Transpose",
    "Trilu",
)
free(
    "moves elements",
    "ConvStateReplay",
    "Pad",
    "RemovePadding",
    "RestorePadding",
    "Trilu",
    "UnfoldTensor",
    domain=MICROSOFT,
)
free("moves elements", "ReorderInput", "ReorderOutput", domain=NCHWC)
free("looks elements up", "Compress", "DynamicSlice", "Gather", "GatherElements", "GatherND", "OneHot")
free("looks elements up", "GatherND", domain=MICROSOFT)
free("writes elements to places", "Scatter", "TensorScatter")

elementwise(2, "Range")
elementwise(2, "Range", domain=MICROSOFT)


@work("ScatterElements", "ScatterND")
def scatter(call: OpCall) -> OperatorCost:
    """One operation an update where updates are reduced into the data, none where they replace it."""
    if word(call, "reduction", "none") == "none":
        return OperatorCost(free="writes elements to places")
    return OperatorCost(other_flops=call.size(2))


@work("TorchEmbedding", domain=MICROSOFT)
def torch_embedding(_: OpCall) -> OperatorCost:
    """A table that is looked up."""
    return OperatorCost(free="looks elements up")
