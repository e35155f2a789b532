"""The model as one networkx graph: operators, tensors, constants and typed facts."""

from nnea_graph.graph.constants import Constant, Payload, Region, Stored
from nnea_graph.graph.dtypes import DTYPES, DType
from nnea_graph.graph.keys import Key
from nnea_graph.graph.model import ModelGraph, ModelInfo, TypeInference
from nnea_graph.graph.nodes import Body, Dim, OpNode, TensorInfo
from nnea_graph.graph.source_facts import SourceFacts, SourceModule, SourceParameter

__all__ = [
    "DTYPES",
    "Body",
    "Constant",
    "DType",
    "Dim",
    "Key",
    "ModelGraph",
    "ModelInfo",
    "OpNode",
    "Payload",
    "Region",
    "SourceFacts",
    "SourceModule",
    "SourceParameter",
    "Stored",
    "TensorInfo",
    "TypeInference",
]
