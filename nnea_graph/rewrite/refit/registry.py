"""How each operator is refitted, by its stored weight's shape; or why one is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnea_graph.graph import OpNode
from nnea_graph.rewrite.refit.convolution import convolution
from nnea_graph.rewrite.refit.least_squares_form import Form
from nnea_graph.rewrite.refit.matmul import gemm, matmul
from nnea_graph.rewrite.refit.recurrent import recurrent
from nnea_graph.rewrite.refit.transposed_convolution import transposed

FORMS: Mapping[str, Callable[[OpNode, tuple[int, ...]], Form | str]] = {
    "Conv": convolution,
    "ConvTranspose": transposed,
    "GRU": recurrent,
    "Gemm": gemm,
    "LSTM": recurrent,
    "MatMul": matmul,
    "RNN": recurrent,
}
