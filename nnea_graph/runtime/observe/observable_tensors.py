"""Decides for each observation what it is of, or why it cannot be made."""

from __future__ import annotations

from collections.abc import Iterable

from nnea_graph.graph import ModelGraph, TensorInfo
from nnea_graph.runtime.export.body_outputs import unreachable
from nnea_graph.runtime.observe.nonnegative import never_negative
from nnea_graph.runtime.observe.observations import Kind, Observation, Types
from nnea_graph.runtime.observe.quantization_params import scale_of
from nnea_graph.runtime.observe.reductions import ObservedTensor, refusal

_UNKNOWN = TensorInfo(None, None)

_RESHAPING = 11
"""The operator set since which a tensor can be taken apart around an axis from the end."""


def subjects_of(
    graph: ModelGraph, observations: Iterable[Observation], types: Types, opset: int
) -> tuple[list[ObservedTensor], dict[Observation, str]]:
    """The tensors to observe, and the reasons of observations that cannot be made."""
    formals = {name: body.path for body in graph.bodies.values() for name in body.inputs}
    nonnegative = never_negative(graph)
    subjects: list[ObservedTensor] = []
    refused: dict[Observation, str] = {}
    for observation in dict.fromkeys(observations):
        tensor = observation.tensor
        producer = graph.producer(tensor)
        if producer is None and tensor not in graph.inputs and tensor not in formals:
            what = "it is a constant" if tensor in graph.constants else "the model has no such tensor"
            refused[observation] = what
            continue
        path = producer.body if producer else formals.get(tensor, "")
        subject = ObservedTensor(
            observation,
            path,
            _info(graph, tensor, types),
            tensor in nonnegative,
            scale_of(graph, tensor, path),
        )
        reason = refusal(subject) or unreachable(graph, path) or _unsure(graph, subject, opset)
        if reason:
            refused[observation] = reason
        else:
            subjects.append(subject)
    return subjects, refused


def _info(graph: ModelGraph, tensor: str, types: Types) -> TensorInfo:
    """Type as inferred; without shape where the file declares another rank, which onnxruntime would believe."""
    inferred, declared = types.get(tensor, _UNKNOWN), graph.tensors.get(tensor, _UNKNOWN)
    dtype = inferred.dtype or declared.dtype
    if inferred.shape is None or declared.shape is None or len(inferred.shape) == len(declared.shape):
        return TensorInfo(dtype, inferred.shape)
    return TensorInfo(dtype, None)


def _unsure(graph: ModelGraph, subject: ObservedTensor, opset: int) -> str:
    """Reason why unknowns before the run prevent it; "" if they do not."""
    if subject.observation.kind is Kind.ROWS:
        return ""
    if subject.flat and opset < _RESHAPING:
        return f"it lies in a body or has a rank that only the run tells, and opset {opset} cannot cope with that"
    if subject.channels is None and _in_scan(graph, subject.path):
        return "it lies in a Scan, and the number of its channels is not known before the run"
    return ""


def _in_scan(graph: ModelGraph, path: str) -> bool:
    while path:
        body = graph.bodies[path]
        if graph.node(body.owner).op_type == "Scan":
            return True
        path = body.outer
    return False
