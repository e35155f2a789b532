"""Whole decoding loops as one operator."""

from __future__ import annotations

from nnea_graph.graph import Dim, TensorInfo
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.dim_arithmetic import INT32, UNKNOWN, attribute, dims, info, known, results, shape
from nnea_graph.ops.registry import MICROSOFT


def _first(call: OpCall, index: int) -> Dim:
    found = known(call, index)
    return found[0] if found else None


@shape("GreedySearch", "Sampling", domain=MICROSOFT)
def one_sequence(call: OpCall) -> list[TensorInfo]:
    """Batch x longest text; what Sampling gives besides is for debugging."""
    ids = dims(call, 0, 2)
    batch = ids[0] if ids else None
    vocabulary = attribute(call, "vocab_size", -1)
    logits = info(None, (batch, vocabulary if vocabulary > 0 else None))
    return results(call, info(INT32, (batch, _first(call, 1))), logits)


@shape("BeamSearch", domain=MICROSOFT)
def several_sequences(call: OpCall) -> list[TensorInfo]:
    """Batch x texts x longest text, their scores, and the scores of every step."""
    ids = dims(call, 0)
    batch = ids[0] if ids else None
    longest, beams, texts = (_first(call, index) for index in (1, 3, 4))
    if ids is not None and len(ids) != 2:
        # Speech models give features, and how long their prompt is depends on the model.
        return results(call, info(INT32, (batch, texts, longest)), info(None, (batch, texts)), UNKNOWN)
    steps = longest - ids[1] if ids and isinstance(longest, int) and isinstance(ids[1], int) else None
    vocabulary = attribute(call, "vocab_size", -1)
    scores = info(None, (steps, batch, beams, vocabulary if vocabulary > 0 else None))
    return results(call, info(INT32, (batch, texts, longest)), info(None, (batch, texts)), scores)
