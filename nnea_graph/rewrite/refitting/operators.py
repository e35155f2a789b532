"""How each operator is refitted, by its stored weight's shape; or why one is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refitting.dense import gemm, matmul
from nnea_graph.rewrite.refitting.forms import Form
from nnea_graph.rewrite.refitting.gates import recurrent
from nnea_graph.rewrite.refitting.transposed import transposed
from nnea_graph.rewrite.refitting.windows import convolution

FORMS: Mapping[str, Callable[[OpNode, tuple[int, ...]], Form | str]] = {
    "Conv": convolution,
    "ConvTranspose": transposed,
    "GRU": recurrent,
    "Gemm": gemm,
    "LSTM": recurrent,
    "MatMul": matmul,
    "RNN": recurrent,
}
