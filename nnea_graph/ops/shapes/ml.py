"""ai.onnx.ml operators whose outputs onnx's own inference leaves open."""

from __future__ import annotations

from nnea_graph.graph import Dim, DType, TensorInfo
from nnea_graph.graph.dtypes import BY_NAME
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.dim_arithmetic import FLOAT, INT64, attribute, dims, info, like, results, shape

ML = "ai.onnx.ml"

like("Imputer", domain=ML)


@shape("Normalizer", "Scaler", domain=ML)
def scaled(call: OpCall) -> list[TensorInfo]:
    """Same shape as the input, in float32."""
    return results(call, info(FLOAT, dims(call, 0)))


def _rows(call: OpCall) -> Dim:
    """Samples; a vector is one sample."""
    x = dims(call, 0)
    if x is None:
        return None
    return x[0] if len(x) > 1 else 1


@shape("LinearRegressor", domain=ML)
def linear_regressor(call: OpCall) -> list[TensorInfo]:
    """Samples x targets."""
    return results(call, info(FLOAT, (_rows(call), attribute(call, "targets", 1))))


@shape("SVMRegressor", domain=ML)
def support_vector_regressor(call: OpCall) -> list[TensorInfo]:
    """One number a sample."""
    return results(call, info(FLOAT, (_rows(call), 1)))


@shape("TreeEnsembleRegressor", domain=ML)
def tree_regressor(call: OpCall) -> list[TensorInfo]:
    """Samples x targets."""
    return results(call, info(FLOAT, (_rows(call), call.attr("n_targets"))))


@shape("TreeEnsembleClassifier", domain=ML)
def tree_classifier(call: OpCall) -> list[TensorInfo]:
    """A label for each sample, and a score for each class."""
    named = call.attr("classlabels_strings")
    kind: DType = BY_NAME["string"] if named else INT64
    classes = named or call.attr("classlabels_int64s") or ()
    scores = info(FLOAT, (_rows(call), len(classes) or None))
    return results(call, info(kind, (_rows(call),)), scores)


@shape("FeatureVectorizer", domain=ML)
def feature_vectorizer(call: OpCall) -> list[TensorInfo]:
    """All features of a sample side by side."""
    widths = call.attr("inputdimensions")
    return results(call, info(FLOAT, (_rows(call), sum(widths) if widths else None)))
