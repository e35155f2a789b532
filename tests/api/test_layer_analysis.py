"""Arrays and numbers of a layer against plain float64 arithmetic on what torch's own hooks see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from nnea_graph import LayerAnalysis, NNEfficiencyAnalyzer

Floats = NDArray[np.float64]

METRICS = {
    *("total_params", "entropy", "normalized_entropy", "effective_params", "utilization_ratio"),
    *("redundancy_score", "gini_coefficient", "sparsity_1e-2", "sparsity_1e-3"),
    *("top10_coverage", "top20_coverage", "top50_coverage"),
    *("mean_importance", "std_importance", "max_importance", "inference_flops", "training_flops"),
}


def seen(module: nn.Module, target: nn.Module, x: torch.Tensor, *, after: bool = False) -> Floats:
    """What enters (or leaves) a module when the model runs."""
    found: list[torch.Tensor] = []
    handle = target.register_forward_hook(lambda _, given, made: found.append(made if after else given[0]))
    with torch.no_grad():
        module.eval()(x)
    handle.remove()
    return found[0].detach().double().numpy()


def mean_by_channel(values: Floats, axis: int) -> Floats:
    others = tuple(other for other in range(values.ndim) if other != axis % values.ndim)
    mean: Floats = np.abs(values).mean(others)
    return mean


def array(parameter: torch.Tensor) -> Floats:
    return parameter.detach().double().numpy()


def analyzed(module: nn.Module, x: torch.Tensor, **options: Any) -> NNEfficiencyAnalyzer:
    analyzer = NNEfficiencyAnalyzer(module)
    analyzer.analyze(
        x, verbose=False, passes=options.pop("passes", "importance,cost,weight_statistics"), **options
    )
    return analyzer


def layer_of(analyzer: NNEfficiencyAnalyzer, name: str) -> LayerAnalysis:
    return next(layer for layer in analyzer.layer_analyses if layer.name == name)


class Convs(nn.Module):
    """A plain, a grouped, a depthwise and a transposed convolution, and a scale for each channel."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.plain = nn.Conv2d(3, 8, 3)
        self.grouped = nn.Conv2d(8, 12, 3, groups=4)
        self.norm = nn.LayerNorm(5)
        self.depthwise = nn.Conv2d(12, 12, 2, groups=12, bias=False)
        self.up = nn.ConvTranspose2d(12, 6, 2)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(torch.relu(self.grouped(torch.relu(self.plain(x)))))
        x = torch.relu(self.up(self.depthwise(x)))
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


IMAGES = torch.randn(6, 3, 9, 9, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def convs() -> tuple[Convs, NNEfficiencyAnalyzer]:
    module = Convs()
    return module, analyzed(module, IMAGES)


def spread_over_groups(means: Floats, weight: Floats, groups: int) -> Floats:
    """A grouped kernel (out, in / groups, …) with the mean of the channel that each number meets."""
    met = np.empty(weight.shape)
    for row in range(weight.shape[0]):
        group = row // (weight.shape[0] // groups)
        mine = means[group * weight.shape[1] : (group + 1) * weight.shape[1]]
        met[row] = mine.reshape(-1, *(1,) * (weight.ndim - 2))
    return met


WANTED: dict[str, tuple[int, Callable[[Floats, Floats], Floats]]] = {
    "plain": (1, lambda weight, means: np.abs(weight) * means[None, :, None, None]),
    "grouped": (1, lambda weight, means: np.abs(weight) * spread_over_groups(means, weight, 4)),
    "depthwise": (1, lambda weight, means: np.abs(weight) * spread_over_groups(means, weight, 12)),
    "up": (1, lambda weight, means: np.abs(weight) * means[:, None, None, None]),
    "norm": (-1, lambda weight, means: np.abs(weight) * means),
    "head": (-1, lambda weight, means: np.abs(weight) * means),
}


@pytest.mark.parametrize("name", WANTED)
def test_importance_is_the_weight_times_the_mean_of_the_channel_that_it_meets(
    convs: tuple[Convs, NNEfficiencyAnalyzer], name: str
) -> None:
    module, analyzer = convs
    target = module.get_submodule(name)
    axis, expected = WANTED[name]
    means = mean_by_channel(seen(module, target, IMAGES), axis)
    layer = layer_of(analyzer, name)
    assert layer.statistics_of == "importance"
    weight = array(target.get_parameter("weight"))
    wanted = expected(weight, means)
    found = layer.importance_matrix
    if name == "head" and found.shape != wanted.shape:
        found = found.T  # as the operator multiplies with it
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert layer.weights.shape == layer.importance_matrix.shape


def brute_force(x: Floats) -> dict[str, float]:
    """By the definitions, in float64."""
    flat = np.sort(x.reshape(-1))
    n, total = flat.size, flat.sum()
    p = flat[flat > 0] / total
    entropy = float(-(p * np.log(p)).sum())
    held = np.cumsum(flat[::-1]) / total

    def reach(share: float) -> float:
        return float(np.interp(share, [0, *held], np.arange(n + 1) / n))

    return {
        "entropy": entropy,
        "normalized_entropy": entropy / np.log(n),
        "effective_params": np.exp(entropy),
        "utilization_ratio": np.exp(entropy) / n,
        "redundancy_score": 1 - entropy / np.log(n),
        "gini_coefficient": float(((2 * np.arange(1, n + 1) - n - 1) * flat).sum() / (n * total)),
        "sparsity_1e-2": float((flat < 1e-2).mean()),
        "sparsity_1e-3": float((flat < 1e-3).mean()),
        "top10_coverage": reach(0.5),
        "top20_coverage": reach(0.8),
        "top50_coverage": reach(0.9),
        "mean_importance": float(flat.mean()),
        "std_importance": float(flat.std()),
        "max_importance": float(flat.max()),
    }


TOLERANCE = {"gini_coefficient": 2e-3, "top10_coverage": 1e-2, "top20_coverage": 1e-2, "top50_coverage": 1e-2}
"""What the bins of the histogram leave open."""


@pytest.mark.parametrize("name", WANTED)
def test_every_number_is_that_of_the_matrix(convs: tuple[Convs, NNEfficiencyAnalyzer], name: str) -> None:
    layer = layer_of(convs[1], name)
    assert set(layer.metrics) == METRICS
    for metric, wanted in brute_force(layer.importance_matrix).items():
        found = layer.metrics[metric]
        assert found == pytest.approx(wanted, rel=1e-4, abs=TOLERANCE.get(metric, 1e-5)), metric


def test_without_real_data_the_same_numbers_are_of_the_weights() -> None:
    module = Convs()
    analyzer = NNEfficiencyAnalyzer(module)
    analyzer.analyze(IMAGES, compute_activations=False, verbose=False)
    layer = layer_of(analyzer, "plain")
    assert layer.statistics_of == "weights"
    assert layer.reason
    for metric, wanted in brute_force(np.abs(array(module.plain.weight))).items():
        assert layer.metrics[metric] == pytest.approx(wanted, rel=1e-4, abs=TOLERANCE.get(metric, 1e-5)), (
            metric
        )


def test_parameters_costs_and_classes_are_the_modules(convs: tuple[Convs, NNEfficiencyAnalyzer]) -> None:
    module, analyzer = convs
    assert analyzer.global_metrics["total_parameters"] == sum(each.numel() for each in module.parameters())
    for name in WANTED:
        target, layer = module.get_submodule(name), layer_of(analyzer, name)
        assert layer.layer_type == type(target).__name__
        assert layer.metrics["total_params"] == sum(each.numel() for each in target.parameters())
    plain = layer_of(analyzer, "plain")
    assert plain.metrics["inference_flops"] == 49 * 8 * 2 * 27
    assert plain.metrics["training_flops"] == 4 * 49 * 8 * 2 * 27


def test_importance_by_what_leaves_a_layer() -> None:
    torch.manual_seed(0)
    first, active = nn.Linear(5, 7), nn.ReLU()
    module = nn.Sequential(first, active, nn.Linear(7, 3))
    x = torch.randn(40, 5)
    layer = analyzed(module, x, passes="importance{side=output}").layer_analyses[0]
    leaving = mean_by_channel(seen(module, active, x, after=True), -1)
    np.testing.assert_allclose(
        layer.importance_matrix, np.abs(array(first.weight)) * leaving[:, None], rtol=1e-5
    )


def test_a_table_of_rows_is_weighed_by_how_often_each_is_looked_up() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.out = nn.Embedding(6, 4), nn.Linear(4, 2)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.out(self.words(ids).mean(1))  # type: ignore[no-any-return]

    module, ids = Words(), torch.tensor([[0, 1, 1], [2, 1, 0]])
    layer = layer_of(analyzed(module, ids), "words")
    shares = np.bincount(ids.numpy().reshape(-1), minlength=6) / ids.numel()
    np.testing.assert_allclose(
        layer.importance_matrix, np.abs(array(module.words.weight)) * shares[:, None], rtol=1e-5
    )
    assert layer.layer_type == "Embedding"


def test_a_recurrent_layer_shows_its_larger_weight() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 8, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0]  # type: ignore[no-any-return]

    module = Reader()
    x = torch.randn(5, 6, 3)
    layer = layer_of(analyzed(module, x), "lstm")
    assert layer.weights.size == 4 * 8 * 8
    leaving = mean_by_channel(seen_output(module, x), -1)
    found = layer.importance_matrix / np.abs(layer.weights)
    np.testing.assert_allclose(found[0, 0], leaving, rtol=1e-3)
    assert layer.metrics["total_params"] == sum(each.numel() for each in module.parameters())


def seen_output(module: nn.Module, x: torch.Tensor) -> Floats:
    with torch.no_grad():
        found: torch.Tensor = module(x)
    return found.double().numpy()
