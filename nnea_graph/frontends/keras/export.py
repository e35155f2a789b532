"""A Keras model on TensorFlow, exported once; its weights can be taken again without a new export."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnea_graph.frontends.keras.call import KerasCall, call_of
from nnea_graph.frontends.keras.facts import keras_facts, normalizations, unique_weights
from nnea_graph.frontends.keras.trace import traced
from nnea_graph.frontends.provenance.template import Exported
from nnea_graph.frontends.shared.interface import Arrays, ConvertedModel, Example
from nnea_graph.frontends.tf2onnx.imports import explained
from nnea_graph.frontends.tf2onnx.provenance import exported


@dataclass(frozen=True, slots=True)
class KerasExport:
    """``converted`` takes the weights as they are then; ``structure`` is what the model was like."""

    model: Any
    structure: Hashable
    call: KerasCall
    made: Exported

    @classmethod
    def of(cls, model: Any, example: Example | None) -> KerasExport:
        """Export a model.

        Raises:
            UsageError: an example is needed and not given, or does not fit.
            ModelError: the model fails on it, or the exporter on the model.
        """
        call = call_of(model, example)
        weights = unique_weights(model)
        norms = normalizations(model, {id(weight): name for name, weight in weights.items()})
        return cls(model, _structure(model), call, exported(traced(model, call, weights), norms))

    def converted(self) -> ConvertedModel:
        """The model with the weights that it has now."""
        values = {name: np.asarray(weight) for name, weight in unique_weights(self.model).items()}
        facts = keras_facts(self.model, "tensorflow")
        facts = replace(facts, origins=self.made.origins(facts))
        run = reference(self.model, self.call)
        proto = self.made.filled(values)
        return ConvertedModel(proto, facts, self.call.example, run, self.made.notes, again=self._again)

    def _again(self) -> ConvertedModel | None:
        """None where weights are not all that has changed, or where they are made in ways that nobody knows."""
        same = self.made.lasting and _structure(self.model) == self.structure
        return self.converted() if same else None


def _structure(model: Any) -> Hashable:
    facts = keras_facts(model, "tensorflow")
    return facts.modules, tuple((each.name, each.shape, each.shared_with) for each in facts.parameters)


def reference(model: Any, call: KerasCall) -> Callable[[Arrays], Sequence[NDArray[Any]]]:
    """Runs the model as it is then; bfloat16 comes as float32, which numpy has."""

    def run(arrays: Arrays) -> Sequence[NDArray[Any]]:
        with explained("the model fails"):
            results = call.run(model, [arrays[each.name] for each in call.inputs])
            return [known_type(np.asarray(each)) for each in results]

    return run


def known_type(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a type that numpy has."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
