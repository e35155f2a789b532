"""Operators of ai.onnx.ml other than trees: scalers, encoders, linear models and support vectors.

A linear model is a dense layer under another name and counts as one: matrix work, its intercept the bias.
"""

from __future__ import annotations

from math import prod

from nnea_graph.ops.attribute_checks import need, numbers, parts, whole, word
from nnea_graph.ops.call import OpCall
from nnea_graph.ops.cost_rules import OperatorCost, dot_products, elementwise, free, work
from nnea_graph.ops.costs.elementwise import FUNCTIONS
from nnea_graph.ops.costs.softmax import SOFTMAX

ML = "ai.onnx.ml"

free(
    "looks elements up",
    "ArrayFeatureExtractor",
    "CategoryMapper",
    "DictVectorizer",
    "LabelEncoder",
    domain=ML,
)
free("gives the same values another form", "CastMap", "FeatureVectorizer", "ZipMap", domain=ML)
elementwise(1, "Binarizer", "Imputer", domain=ML)
elementwise(2, "Scaler", domain=ML)
elementwise(1, "OneHotEncoder", domain=ML)

POST_TRANSFORM = {
    "NONE": 0,
    "LOGISTIC": FUNCTIONS["Sigmoid"],
    "SOFTMAX": SOFTMAX,
    "SOFTMAX_ZERO": SOFTMAX + 1,
    "PROBIT": 1,
}
"""Operations a score."""

KERNEL = {"LINEAR": 0, "POLY": 3, "SIGMOID": 3, "RBF": 2}
"""Operations on the dot product, or on the distance, of a row and a support vector."""


def rows_of(call: OpCall) -> tuple[int, int]:
    """Rows of the input and features of a row; a vector is one row."""
    shape = call.shape(0)
    need(len(shape) in {1, 2}, f"input 0 has rank {len(shape)}, not 1 or 2")
    return prod(shape[:-1]), shape[-1]


def post_transform(name: str, scores: int) -> OperatorCost:
    """Cost of what is done to so many scores in the end."""
    need(name in POST_TRANSFORM, f"post_transform is {name!r:.60}")
    return OperatorCost(other_flops=POST_TRANSFORM[name] * scores)


def _after(call: OpCall) -> str:
    return word(call, "post_transform", "NONE")


@work("Normalizer", domain=ML)
def normalizer(call: OpCall) -> OperatorCost:
    """MAX and L1: find or add the absolute values, divide; L2: square, add, divide, a root a row."""
    rows, _ = rows_of(call)
    return OperatorCost(other_flops=3 * call.size(0) + rows * (word(call, "norm", "MAX") == "L2"))


@work("LinearRegressor", domain=ML)
def linear_regressor(call: OpCall) -> OperatorCost:
    """Rows x targets dot products over the features."""
    rows, features = rows_of(call)
    targets = whole(call, "targets", 1, least=1)
    counted = dot_products(rows * targets, features, bias=bool(numbers(call, "intercepts")))
    return counted + post_transform(_after(call), rows * targets)


@work("LinearClassifier", domain=ML)
def linear_classifier(call: OpCall) -> OperatorCost:
    """Rows x classes dot products over the features, and a search for the best."""
    rows, features = rows_of(call)
    scores = parts(len(numbers(call, "coefficients")), max(features, 1), "coefficients")
    counted = dot_products(rows * scores, features, bias=bool(numbers(call, "intercepts")))
    return counted + post_transform(_after(call), rows * scores) + OperatorCost(other_flops=rows * scores)


@work("SVMRegressor", domain=ML)
def svm_regressor(call: OpCall) -> OperatorCost:
    """A kernel of the row and each support vector, weighted and added; without them a linear model."""
    rows, features = rows_of(call)
    vectors = whole(call, "n_supports", 0)
    if not vectors:
        return dot_products(rows, features, bias=True) + post_transform(_after(call), rows)
    weighted = OperatorCost(other_flops=2 * rows * vectors)
    return _kernels(call, rows * vectors, features) + weighted + post_transform(_after(call), rows)


@work("SVMClassifier", domain=ML)
def svm_classifier(call: OpCall) -> OperatorCost:
    """A kernel of the row and each support vector; every pair of classes votes with its own vectors."""
    rows, features = rows_of(call)
    listed = numbers(call, "vectors_per_class")
    need(all(isinstance(count, int) and count >= 0 for count in listed), "vectors_per_class are not counts")
    vectors = sum(listed)
    classes = max(
        len(listed), len(numbers(call, "classlabels_ints")), len(numbers(call, "classlabels_strings"))
    )
    if not vectors:
        return dot_products(rows * classes, features, bias=True) + post_transform(
            _after(call), rows * classes
        )
    # Each vector is weighted and added once for every other class.
    votes = OperatorCost(other_flops=2 * rows * vectors * max(classes - 1, 0))
    return _kernels(call, rows * vectors, features) + votes + post_transform(_after(call), rows * classes)


def _kernels(call: OpCall, pairs: int, features: int) -> OperatorCost:
    kind = word(call, "kernel_type", "LINEAR")
    need(kind in KERNEL, f"kernel_type is {kind!r:.60}")
    after = OperatorCost(other_flops=pairs * KERNEL[kind])
    if kind == "RBF":
        return after + OperatorCost(other_flops=pairs * max(3 * features - 1, 0))
    return after + dot_products(pairs, features)
