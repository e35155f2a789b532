"""A function of TensorFlow, exported once; its variables can be read again without a new export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.keras.export import known_type
from nnea_graph.frontends.provenance.template import Exported
from nnea_graph.frontends.shared.interface import Arrays, ConvertedModel, Example
from nnea_graph.frontends.tensorflow.call import TfCall, call_of
from nnea_graph.frontends.tensorflow.facts import facts_of, names_of
from nnea_graph.frontends.tf2onnx.batchnorm_patterns import normalizations
from nnea_graph.frontends.tf2onnx.imports import explained, imported
from nnea_graph.frontends.tf2onnx.provenance import exported
from nnea_graph.frontends.tf2onnx.trace import Frozen, TraceNames, frozen
from nnea_graph.graph.source_facts import SourceFacts


@dataclass(frozen=True, slots=True)
class TfExport:
    """``variables`` are by the name of the parameter; ``facts`` are without origins."""

    call: TfCall
    variables: dict[str, Any]
    facts: SourceFacts
    made: Exported

    @classmethod
    def of(cls, function: Any, name: str, root: object, example: Example | None) -> TfExport:
        """Export a function of the object ``root``, whose attributes name the variables.

        Raises:
            UsageError: an example is needed and not given, or does not fit.
            ModelError: TensorFlow cannot trace it, or tf2onnx cannot export it.
        """
        call = call_of(function, example)
        graph, variables = _traced(call)
        named = names_of(graph, variables, root)
        parameters = {handle: names[0] for handle, names in named.parameters.items()}
        traced = graph.traced(
            TraceNames(name, [each.name for each in call.inputs], call.outputs, parameters, named.scopes)
        )
        norms = normalizations(traced.graph_def, traced.variables)
        facts = facts_of(named, variables, norms, _fixed(root))
        return cls(
            call, {parameters[id(each.handle)]: each for each in variables}, facts, exported(traced, norms)
        )

    def converted(self) -> ConvertedModel:
        """The model with what its variables hold now."""
        values = {name: np.asarray(variable) for name, variable in self.variables.items()}
        facts = replace(self.facts, origins=self.made.origins(self.facts))
        again = self.converted if self.made.lasting else None
        return ConvertedModel(
            self.made.filled(values), facts, self.call.example, self._run, self.made.notes, again=again
        )

    def _run(self, arrays: Arrays) -> Sequence[NDArray[Any]]:
        with explained("the function fails"):
            return [known_type(each) for each in self.call.run_on(arrays)]


def _traced(call: TfCall) -> tuple[Frozen, list[Any]]:
    """The frozen graph and the variables in it, in the order in which the function met them."""
    tf = imported("tensorflow", "a TensorFlow function")
    specs = [
        tf.TensorSpec(each.dims, each.dtype, name=f"input_{place}") for place, each in enumerate(call.inputs)
    ]
    with explained("TensorFlow cannot trace the function"):
        function = tf.function(
            lambda *tensors: [tf.identity(each) for each in call.run(tensors)]
        ).get_concrete_function(*specs)
    graph = frozen(function)
    known = {id(each.handle): each for each in function.variables}
    return graph, [known[handle] for handle in graph.places if handle in known]


def _fixed(root: object) -> frozenset[int]:
    """The handles of what a module has but does not train: Keras freezes layers like that."""
    every, trained = (getattr(root, name, None) for name in ("variables", "trainable_variables"))
    tf = imported("tensorflow", "a TensorFlow function")
    if (
        every is None
        or trained is None
        or not all(isinstance(each, tf.Variable) for each in (*every, *trained))
    ):
        return frozenset()
    return frozenset(id(each.handle) for each in every) - {id(each.handle) for each in trained}
