"""What the analyzer is for, in torch and in Keras: each answer, on trained networks, is held against numpy alone.

The networks are chains of dense layers with ReLU between them. ``chain`` runs one, ``importance`` weighs it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from nnea_graph import NNEfficiencyAnalyzer, Report

Array = NDArray[Any]
Layers = list[tuple[Array, Array]]
"""Weight, of one row an output, and bias of each layer."""

NAMES = ("hidden_1", "hidden_2", "logits")
random = np.random.default_rng(0)
Y = np.arange(120) % 10
X = (1.2 * random.standard_normal((10, 20))[Y] + random.standard_normal((120, 20))).astype(np.float32)


class Framework(Protocol):
    """Makes and trains a chain 20-…-10."""

    def made(self, *widths: int) -> Any: ...
    def train(self, model: Any, epochs: int, after: Callable[[int], None] = ...) -> None: ...
    def layers(self, model: Any) -> Layers: ...
    def set_layers(self, model: Any, layers: Layers) -> None: ...
    def outputs(self, model: Any) -> Array: ...


def nothing(_: int) -> None:
    """After an epoch."""


class Torch:
    def made(self, *widths: int) -> nn.Sequential:
        torch.manual_seed(0)
        sizes = (20, *widths, 10)
        found: OrderedDict[str, nn.Module] = OrderedDict()
        for place, name in enumerate(NAMES):
            found[name] = nn.Linear(sizes[place], sizes[place + 1])
            if name != "logits":
                found[f"relu_{place}"] = nn.ReLU()
        return nn.Sequential(found)

    def train(self, model: nn.Sequential, epochs: int, after: Callable[[int], None] = nothing) -> None:
        x, y = torch.from_numpy(X), torch.from_numpy(Y)
        optimizer = torch.optim.Adam(model.parameters(), 3e-3)
        for epoch in range(epochs):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            after(epoch)

    def layers(self, model: nn.Sequential) -> Layers:
        found = (each for each in model if isinstance(each, nn.Linear))
        return [(each.weight.detach().numpy().copy(), each.bias.detach().numpy().copy()) for each in found]

    def set_layers(self, model: nn.Sequential, layers: Layers) -> None:
        with torch.no_grad():
            for parameter, values in zip(
                model.parameters(), (each for pair in layers for each in pair), strict=True
            ):
                parameter.copy_(torch.from_numpy(values))

    def outputs(self, model: nn.Sequential) -> Array:
        with torch.no_grad():
            return np.asarray(model(torch.from_numpy(X)))


class Keras:
    def __init__(self) -> None:
        from model_zoo.keras_nets import keras  # noqa: PLC0415 - skips where there is no TensorFlow

        self.keras = keras

    def made(self, *widths: int) -> Any:
        self.keras.utils.set_random_seed(0)
        hidden = [
            self.keras.layers.Dense(width, activation="relu", name=name)
            for width, name in zip(widths, NAMES, strict=False)
        ]
        return self.keras.Sequential(
            [self.keras.Input((20,)), *hidden, self.keras.layers.Dense(10, name="logits")]
        )

    def train(self, model: Any, epochs: int, after: Callable[[int], None] = nothing) -> None:
        loss = self.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(self.keras.optimizers.Adam(3e-3), loss, jit_compile=False)
        callback = self.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: after(epoch))
        model.fit(X, Y, batch_size=len(X), epochs=epochs, verbose=0, shuffle=False, callbacks=[callback])

    def layers(self, model: Any) -> Layers:
        values = model.get_weights()
        return [(np.array(w.T), np.array(b)) for w, b in zip(values[::2], values[1::2], strict=True)]

    def set_layers(self, model: Any, layers: Layers) -> None:
        model.set_weights([each for weight, bias in layers for each in (weight.T, bias)])

    def outputs(self, model: Any) -> Array:
        return np.asarray(model(X))


@pytest.fixture(scope="module", params=[Torch, Keras])
def framework(request: pytest.FixtureRequest) -> Framework:
    made: Framework = request.param()
    return made


# By numpy alone


def chain(layers: Layers, x: Array = X) -> Iterator[tuple[Array, Array]]:
    """What enters each layer, and what leaves it."""
    for place, (weight, bias) in enumerate(layers):
        out = x @ weight.T + bias
        yield x, out
        x = np.maximum(out, 0) if place < len(layers) - 1 else out


def answer(layers: Layers) -> Array:
    *_, (_, out) = chain(layers)
    return out


def importance(layers: Layers) -> list[Array]:
    """|w| mean|a|."""
    entered = [np.abs(x).mean(0) for x, _ in chain(layers)]
    return [np.abs(weight.astype(float)) * mean for (weight, _), mean in zip(layers, entered, strict=True)]


def redundancy(matrix: Array) -> float:
    """1 - H / ln n."""
    share = matrix[matrix > 0] / matrix.sum()
    return float(1 + (share * np.log(share)).sum() / np.log(matrix.size))


def redundancy_score(layers: Layers) -> float:
    matrices = importance(layers)
    return float(
        np.average([redundancy(each) for each in matrices], weights=[each.size for each in matrices])
    )


def without(layers: Layers, places: Sequence[int], share: float) -> Layers:
    """The least important weights of some layers at 0."""
    made = [(weight.copy(), bias) for weight, bias in layers]
    for place in places:
        least = np.argsort(importance(layers)[place], axis=None, kind="stable")
        made[place][0].reshape(-1)[least[: round(share * least.size)]] = 0
    return made


def accuracy(layers: Layers) -> float:
    return float((answer(layers).argmax(1) == Y).mean())


# 1. Is it over-parameterized?


@dataclass(frozen=True)
class Case:
    """A network, and what was found of it."""

    model: Any
    analyzer: NNEfficiencyAnalyzer
    layers: Layers
    report: Report
    numbers: Mapping[str, float | int | None]
    scores: tuple[float | int | None, ...]
    """The redundancy of each layer."""


def case(framework: Framework, model: Any, analyzer: NNEfficiencyAnalyzer, passes: str) -> Case:
    report = analyzer.analyze((X, Y), verbose=False, passes=passes)
    layers = framework.layers(model)
    np.testing.assert_allclose(framework.outputs(model), answer(layers), rtol=1e-3, atol=1e-4)
    scores = tuple(each.metrics["redundancy_score"] for each in analyzer.layer_analyses)
    return Case(model, analyzer, layers, report, analyzer.global_metrics, scores)


def trained(framework: Framework, *widths: int) -> Case:
    model = framework.made(*widths)
    framework.train(model, 60)
    return case(framework, model, NNEfficiencyAnalyzer(model), "sensitivity{units=weights},importance")


@pytest.fixture(scope="module")
def wide(framework: Framework) -> Case:
    return trained(framework, 128, 64)


@pytest.fixture(scope="module")
def narrow(framework: Framework) -> Case:
    return trained(framework, 12, 8)


@pytest.fixture(scope="module")
def idle(framework: Framework, wide: Case) -> Case:
    """The wide network, but that nobody listens to half of its first hidden layer."""
    layers = [(weight.copy(), bias.copy()) for weight, bias in wide.layers]
    layers[1][0][:, 64:] *= 1e-3
    framework.set_layers(wide.model, layers)
    return case(framework, wide.model, wide.analyzer, "importance")


def test_the_network_of_the_definition_has_its_numbers_and_names(wide: Case) -> None:
    found = wide.numbers
    assert (found["total_parameters"], found["total_inference_flops"]) == (11_594, 22_784)
    assert found["total_training_flops"] == 91_136
    assert [each.name for each in wide.analyzer.layer_analyses] == list(NAMES)


def test_the_wider_of_two_networks_can_lose_more_and_does_not_miss_it(wide: Case, narrow: Case) -> None:
    shares = [case.report.sensitivity.removable_weights for case in (wide, narrow) if case.report.sensitivity]
    assert shares[0] is not None
    assert shares[1] is not None
    assert shares[0] > shares[1]
    left = without(wide.layers, range(3), shares[0])
    assert wide.report.sensitivity is not None
    assert accuracy(wide.layers) - accuracy(left) < wide.report.sensitivity.loss_limit
    same_from_the_narrow = without(narrow.layers, range(3), shares[0])
    assert accuracy(narrow.layers) - accuracy(same_from_the_narrow) >= wide.report.sensitivity.loss_limit


def test_neurons_that_do_next_to_nothing_are_seen_as_redundancy(wide: Case, idle: Case) -> None:
    for name in ("redundancy_score", "avg_layer_redundancy", "compression_potential"):
        assert (idle.numbers[name] or 0) > (wide.numbers[name] or 0)
    assert (idle.numbers["global_utilization"] or 0) < (wide.numbers["global_utilization"] or 0)
    same = [one == pytest.approx(other) for one, other in zip(idle.scores, wide.scores, strict=True)]
    assert same == [True, False, False]  # the last layer is fed by what has changed


# 2. Where to prune?


def test_guidance_names_the_layer_that_really_is_the_least_sensitive(wide: Case) -> None:
    whole = answer(wide.layers)
    changes = [
        float(np.linalg.norm(answer(without(wide.layers, [place], 0.5)) - whole) / np.linalg.norm(whole))
        for place in range(3)
    ]
    found = [layer.sensitivity for layer in wide.report.layers]
    assert [each.half_change for each in found if each] == pytest.approx(changes, rel=1e-3)
    ranks = {layer.scope: layer.sensitivity.rank for layer in wide.report.layers if layer.sensitivity}
    least = max(ranks, key=lambda name: ranks[name] or 0)
    assert least == NAMES[int(np.argmin(changes))]
    assert ranks == {
        name: 3 - int(np.argsort(np.argsort(changes))[place]) for place, name in enumerate(NAMES)
    }


# 3. Which architecture?


def test_the_best_of_several_architectures_has_the_lowest_score(wide: Case, narrow: Case, idle: Case) -> None:
    cases = {"wide": wide, "narrow": narrow, "idle": idle}
    scores = {name: each.numbers["redundancy_score"] for name, each in cases.items()}
    wanted = {name: redundancy_score(each.layers) for name, each in cases.items()}
    assert scores == pytest.approx(wanted, rel=1e-4)
    assert sorted(scores, key=lambda name: scores[name] or 0) == sorted(wanted, key=lambda name: wanted[name])


# 4. How does it go?


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call of an exporter."""
    from nnea_graph.frontends.tf2onnx import convert as tf_export  # noqa: PLC0415 - as the fixture of Keras
    from nnea_graph.frontends.torch import export as torch_export  # noqa: PLC0415 - as the fixture of Keras

    calls: list[str] = []

    def counted(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return run(*arguments, **options)

        return call

    for name, run in (("torch", torch_export.converted), ("tf2onnx", tf_export.converted)):
        monkeypatch.setattr(f"nnea_graph.frontends.{name}.provenance.converted", counted(name, run))
    return calls


def test_training_is_watched_without_another_export_and_without_a_trace(
    framework: Framework, exports: list[str]
) -> None:
    model = framework.made(128, 64)
    analyzer = NNEfficiencyAnalyzer(model)
    seen: list[tuple[float, float]] = []
    counts: list[int] = []

    def watch(epoch: int) -> None:
        if epoch % 5 == 0:
            analyzer.analyze(X, verbose=False, passes="importance")
            score = analyzer.global_metrics["redundancy_score"]
            assert score is not None
            seen.append((score, redundancy_score(framework.layers(model))))
            counts.append(len(exports))

    framework.train(model, 20, watch)
    assert [found for found, _ in seen] == pytest.approx([wanted for _, wanted in seen], rel=1e-4)
    assert len({round(found, 9) for found, _ in seen}) == 4
    assert counts[0] > 0
    assert counts == [counts[0]] * 4

    alone = framework.made(128, 64)
    framework.train(alone, 20)
    for one, other in zip(framework.layers(model), framework.layers(alone), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
