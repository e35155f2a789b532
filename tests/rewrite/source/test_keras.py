"""A plan carried out on the Keras model: a smaller one that gives what the pruned ONNX model gives, and trains."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from model_zoo.keras_nets import Subclassed, keras, layers, residual_cnn
from numpy.typing import NDArray

from nnea_graph import prune
from nnea_graph.errors import ModelError
from nnea_graph.rewrite.options import Pruned
from nnea_graph.rewrite.source.keras_config import WeightShapeChange, smaller_config
from nnea_graph.rewrite.source.keras_weights import with_biases

RNG = np.random.default_rng(0)


def settled(model: Any) -> Any:
    """With statistics, scales and biases that are not those of a new network."""
    for weight in model.weights:
        shape = tuple(weight.shape)
        if weight.name in {"gamma", "moving_variance"}:
            weight.assign(RNG.uniform(0.5, 1.5, shape))
        elif weight.name in {"beta", "bias", "moving_mean"}:
            weight.assign(RNG.normal(0, 0.3, shape))
    return model


def pruned(model: Any, *shape: int, target: str = "params=0.5", **options: Any) -> Pruned:
    x = RNG.standard_normal((28, *shape)).astype(np.float32)
    return prune(model, x, target, align=1, rivals=False, rounds=2, **options)


def shaped(model: Any) -> dict[str, tuple[int, ...]]:
    return {weight.path: tuple(weight.shape) for weight in model.weights}


def alike(found: Pruned, model: Any, *shape: int) -> None:
    x = RNG.standard_normal((5, *shape)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        found.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(model(x, training=False).numpy(), expected, atol=1e-4 * np.abs(expected).max())


def flat() -> Any:
    """A kernel of two groups, one turned around, and a dense layer without bias that reads all positions."""
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(8, 3, activation="relu", name="first"),
            layers.Conv2D(8, 1, groups=2, use_bias=False, name="grouped"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Conv2DTranspose(6, 2, name="turned"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(12, use_bias=False, activation="tanh", name="wide"),
            layers.Dense(3, name="head"),
        ],
        name="flat",
    )


def block(channels: int) -> Any:
    """A sum with what two kernels make of it, along one axis."""
    x = keras.Input((9, channels))
    y = layers.Conv1D(16, 3, padding="same", name="wide")(x)
    y = layers.PReLU(shared_axes=[1], name="slope")(layers.BatchNormalization(center=False, name="norm")(y))
    y = layers.Conv1D(channels, 1, name="narrow")(y)
    return keras.Model(x, layers.Add(name="sum")([x, y]), name="block")


def nested(stem: int = 0) -> Any:
    """A model in a model; behind a ``stem`` its input loses channels too."""
    x = keras.Input((9, 4), name="signal")
    y = layers.Conv1D(stem, 1, name="stem")(x) if stem else x
    y = layers.GlobalMaxPooling1D()(block(stem or 4)(y))
    return keras.Model(x, layers.Dense(2, name="head")(y), name="outer")


def cubes() -> Any:
    return keras.Sequential(
        [
            keras.Input((4, 4, 4, 1)),
            layers.Conv3D(8, 2, activation="elu", name="first"),
            layers.Conv3D(3, 2, use_bias=False, name="last"),
            layers.GlobalAveragePooling3D(),
        ],
        name="cubes",
    )


CASES: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "residual": (residual_cnn, (12, 12, 3)),
    "flat": (flat, (6, 6, 2)),
    "nested": (nested, (9, 4)),
    "cubes": (cubes, (4, 4, 4, 1)),
}


@functools.cache
def applied(name: str) -> tuple[Any, Pruned, Any]:
    """A model, what came of its pruning, and the smaller model."""
    make, shape = CASES[name]
    model = settled(make())
    found = pruned(model, *shape)
    before = {weight.path: weight.numpy() for weight in model.weights}
    small = found.plan.apply_to(model)
    for weight in model.weights:
        np.testing.assert_array_equal(weight.numpy(), before[weight.path])
    return model, found, small


@pytest.mark.parametrize("name", CASES)
def test_the_smaller_model_gives_what_the_pruned_one_gives_and_trains(name: str) -> None:
    (model, found, small), shape = applied(name), CASES[name][1]
    assert type(small) is type(model)
    assert small.count_params() < 0.75 * model.count_params()
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]
    alike(found, small, *shape)
    keras.utils.set_random_seed(0)
    trained = type(small).from_config(small.get_config())  # the next test sees the weights as they were
    trained.set_weights(small.get_weights())
    trained.compile(keras.optimizers.Adam(0.01), "mse")
    x = RNG.standard_normal((16, *shape)).astype(np.float32)
    y = np.zeros((16, small.output_shape[-1]), np.float32)
    first, *later = trained.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert min(later) < 0.9 * first


def test_numbers_of_channels_groups_and_biases_are_set() -> None:
    _, _, small = applied("flat")
    first, grouped, turned = (small.get_layer(name) for name in ("first", "grouped", "turned"))
    assert first.filters == first.kernel.shape[-1] < 8
    assert grouped.filters == grouped.kernel.shape[-1]
    assert grouped.groups == first.filters // grouped.kernel.shape[-2]
    assert turned.filters == turned.kernel.shape[-2]
    assert small.get_layer("wide").bias is None


class Own(layers.Layer):  # type: ignore[misc]
    """Has a weight of its own; its config does not say how many channels it makes."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.scales = self.add_weight(shape=(shape[-1],), initializer="ones", name="scales")

    def call(self, x: Any) -> Any:
        return x * self.scales


def sized(middle: Any) -> Any:
    """What stands between two dense layers knows how many channels there are."""
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(12, name="wide"),
            middle,
            layers.Flatten(),
            layers.Dense(2, name="head"),
        ]
    )


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        pytest.param(
            Subclassed, (8, 8, 3), r"'subclassed' \(Subclassed\) is described by its code", id="code"
        ),
        pytest.param(
            lambda: sized(Own(name="mine")), (8,), r"layer 'mine' \(Own\) would lose", id="own layer"
        ),
        pytest.param(
            lambda: nested(stem=8),
            (9, 4),
            "layer 'block' of 'outer' is a model with sizes of its own",
            id="inner inputs",
        ),
        pytest.param(
            lambda: sized(layers.Reshape((12, 1), name="sizes")),
            (8,),
            "the smaller model cannot be built",
            id="sizes",
        ),
    ],
)
def test_what_is_not_plain_is_one_line_and_stays(
    make: Callable[[], Any], shape: tuple[int, ...], message: str
) -> None:
    model = make()
    if not model.built:
        model(np.zeros((1, *shape), np.float32))
    options = {"criterion": "magnitude", "refit": False, "keep": ["block/wide*"]}
    found = pruned(model, *shape, target="params=0.6", **options)
    before = shaped(model)
    with pytest.raises(ModelError, match=message) as caught:
        found.plan.apply_to(model)
    assert "\n" not in str(caught.value)
    assert shaped(model) == before


def test_another_model_is_refused() -> None:
    found = pruned(sized(layers.ReLU()), 8, criterion="magnitude", refit=False)
    with pytest.raises(ModelError, match="does not give what the pruned model gives"):
        found.plan.apply_to(sized(layers.Activation("tanh")))


def test_a_bias_between_the_kernels_of_a_separable_convolution_goes_through_the_second() -> None:
    pointwise = RNG.normal(size=(1, 1, 3, 2))
    bias, between = RNG.normal(size=2), RNG.normal(size=3)
    found = with_biases(
        {"s/depthwise_kernel": np.zeros((2, 2, 3, 1)), "s/pointwise_kernel": pointwise, "s/bias": bias},
        {"s/depthwise_kernel": between},
    )
    x: NDArray[Any] = RNG.normal(size=3)
    np.testing.assert_allclose((x + between) @ pointwise[0, 0] + bias, x @ pointwise[0, 0] + found["s/bias"])


def test_an_old_configuration_stays_as_it_was() -> None:
    old = {"layers": [{"config": {"name": "a", "units": 5, "use_bias": False}, "build_config": {"x": 1}}]}
    new = smaller_config(old, {"a": WeightShapeChange("Dense", {"kernel": (3, 2), "bias": (2,)})})
    assert new == {"layers": [{"config": {"name": "a", "units": 2, "use_bias": True}}]}
    assert old["layers"][0]["config"]["units"] == 5  # type: ignore[index]
