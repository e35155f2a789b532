"""A pass of onnx_ir that analyzes a model and leaves the facts in its metadata."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nnea_graph.api.analyze import analyze
from nnea_graph.frontends.shared.user_code import missing
from nnea_graph.rewrite.annotate import annotated

if find_spec("onnx_ir") is None:
    raise missing("onnx_ir", "nnea_graph.integrations.onnx_ir")

import onnx_ir
from onnx_ir.passes import InPlacePass, PassResult

if TYPE_CHECKING:
    from nnea_graph.runtime.open_data import Spec


class AnalyzePass(InPlacePass):
    """Analyzes the model as it is then; see ``nnea_graph.annotate`` for what is left in it.

    The model is modified where a fact is other than those that it has; running the pass again modifies nothing.

    Args:
        data: what to run on; None is seeded random inputs.
        passes: pipeline text such as ``"cost"``; None runs every cheap pass.
        options: further ones of ``nnea_graph.analyze``: ``dims``, ``may_run``, …
    """

    def __init__(self, data: Spec | None = None, passes: str | None = None, **options: Any) -> None:
        self._data = data
        self._passes = passes
        self._options = options

    def call(self, model: onnx_ir.Model) -> PassResult:
        """Analyze and annotate.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        report = analyze(model, self._data, self._passes, **self._options)
        return PassResult(model, modified=annotated(model, report))
