"""The analyzer as the original had it: names, numbers, data of every kind, paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile.support.models import model, op, tensor, typed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from nnea_graph import NNEfficiencyAnalyzer, analyze, quick_analyze
from nnea_graph.errors import NneaError, UsageError

MODELS = Path(__file__).parents[2] / "models"
MLP, CNN, DIGITS = (MODELS / name for name in ("digits_mlp.onnx", "digits_cnn.onnx", "digits.npz"))
GLOBAL = {
    *("total_parameters", "effective_parameters", "global_utilization", "num_layers"),
    *("avg_layer_redundancy", "redundancy_score", "global_sparsity_1e-2", "compression_potential"),
    *("total_inference_flops", "total_training_flops"),
}


class Net(nn.Module):
    """20-128-64-10."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2, self.out = nn.Linear(20, 128), nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.fc2(torch.relu(self.fc1(x))))
        return self.out(hidden)  # type: ignore[no-any-return]


X = torch.randn(50, 20, generator=torch.Generator().manual_seed(1))
Y = torch.arange(50) % 10


@pytest.fixture(scope="module")
def net() -> NNEfficiencyAnalyzer:
    analyzer = NNEfficiencyAnalyzer(Net())
    analyzer.analyze(X, verbose=False)
    return analyzer


# Numbers by name


def test_the_numbers_of_the_reference_network(net: NNEfficiencyAnalyzer) -> None:
    assert set(net.global_metrics) == GLOBAL
    assert net.global_metrics["total_parameters"] == 11_594
    assert net.global_metrics["num_layers"] == 3
    assert net.global_metrics["total_inference_flops"] == 22_784
    assert net.global_metrics["total_training_flops"] == 91_136
    layers = [(each.name, each.layer_type, each.metrics["total_params"]) for each in net.layer_analyses]
    assert layers == [("fc1", "Linear", 2_688), ("fc2", "Linear", 8_256), ("out", "Linear", 650)]


def test_global_numbers_follow_from_the_layers(net: NNEfficiencyAnalyzer) -> None:
    layers = [each.metrics for each in net.layer_analyses]
    weights = [each.weights.size for each in net.layer_analyses]
    found = net.global_metrics
    assert found["effective_parameters"] == pytest.approx(
        sum(each["effective_params"] or 0 for each in layers)
    )
    assert found["global_utilization"] == pytest.approx((found["effective_parameters"] or 0) / sum(weights))
    assert found["compression_potential"] == pytest.approx(1 - (found["global_utilization"] or 0))
    redundancy = [each["redundancy_score"] or 0 for each in layers]
    assert found["avg_layer_redundancy"] == pytest.approx(np.mean(redundancy))
    assert found["redundancy_score"] == pytest.approx(np.average(redundancy, weights=weights))
    sparsity = [each["sparsity_1e-2"] or 0 for each in layers]
    assert found["global_sparsity_1e-2"] == pytest.approx(np.average(sparsity, weights=weights))
    assert found["total_inference_flops"] == sum(each["inference_flops"] or 0 for each in layers)


def test_costs_are_of_one_sample_or_of_a_batch() -> None:
    analyzer = NNEfficiencyAnalyzer(MLP)
    one = analyzer.analyze(DIGITS, samples=20, verbose=False).totals
    many = analyzer.analyze(DIGITS, samples=20, verbose=False, batch=32).totals
    assert many.flops == 32 * (one.flops or 0) > 0
    assert many.training_flops == 32 * (one.training_flops or 0)
    assert many.redundancy_score == one.redundancy_score


def test_a_batch_is_refused_where_the_model_leaves_none_open() -> None:
    made = model(
        [op("MatMul", ["x", "w"], ["y"])], [typed("x", 1, 2)], weights=[tensor("w", np.ones((2, 2)))]
    )
    analyzer = NNEfficiencyAnalyzer(made)
    analyzer.analyze(verbose=False)
    with pytest.raises(UsageError, match=r"batch=4: .*leave no number of samples open"):
        analyzer.analyze(batch=4)


# Data


DATA: dict[str, Callable[[], Any]] = {
    "array": X.numpy,
    "tensor": lambda: X,
    "tensor-with-gradient": lambda: X.clone().requires_grad_(),
    "by-name": lambda: {"x": X},
    "inputs-and-labels": lambda: (X, Y),
    "list-of-batches": lambda: [X[:30], X[30:]],
    "list-of-pairs": lambda: [(X[:30], Y[:30]), (X[30:], Y[30:])],
    "loader": lambda: DataLoader(TensorDataset(X), batch_size=16),
    "loader-of-pairs": lambda: DataLoader(TensorDataset(X, Y), batch_size=16),
    "function": lambda: lambda: iter([X[:30], X[30:]]),
}


@pytest.mark.parametrize("form", DATA)
def test_data_of_every_kind_give_the_same_importance(net: NNEfficiencyAnalyzer, form: str) -> None:
    wanted = [each.importance_matrix for each in net.layer_analyses]
    report = net.analyze(DATA[form](), verbose=False, passes="importance")
    assert report.data is not None
    assert (report.data.samples, report.data.synthetic) == (50, False)
    for layer, matrix in zip(net.layer_analyses, wanted, strict=True):
        np.testing.assert_allclose(layer.importance_matrix, matrix, rtol=1e-5)


def test_labels_of_a_loader_are_used() -> None:
    source = Net()
    loader = DataLoader(TensorDataset(X, Y), batch_size=16)
    report = NNEfficiencyAnalyzer(source).analyze(loader, verbose=False, passes="sensitivity{units=weights}")
    right = (source(X).argmax(1) == Y).float().mean().item()
    assert report.sensitivity is not None
    assert report.sensitivity.accuracy == pytest.approx(right)


def test_without_data_statistics_are_of_the_weights_and_a_live_model_needs_shapes() -> None:
    analyzer = NNEfficiencyAnalyzer(Net())
    report = analyzer.analyze(verbose=False, input_shapes={"x": (1, 20)})
    assert report.data is not None
    assert report.data.synthetic
    layer = analyzer.layer_analyses[0]
    assert layer.statistics_of == "weights"
    assert layer.reason == "no real data were run"
    np.testing.assert_array_equal(layer.importance_matrix, np.abs(layer.weights.astype(np.float64)))
    assert analyzer.global_metrics["total_inference_flops"] == 22_784


def test_nothing_runs_where_activations_are_not_wanted() -> None:
    report = NNEfficiencyAnalyzer(MLP).analyze(DIGITS, compute_activations=False, verbose=False)
    assert report.totals.statistics_of == "weights"
    assert report.data is None or report.data.not_run
    assert report.totals.flops == 100_864


# What is refused


@pytest.mark.parametrize(
    "read",
    [
        lambda analyzer: analyzer.report,
        lambda analyzer: analyzer.layer_analyses,
        lambda analyzer: analyzer.global_metrics,
        lambda analyzer: analyzer.get_summary(),
        lambda analyzer: analyzer.print_report(),
        lambda analyzer: analyzer.compute_neural_pathways(),
    ],
)
def test_what_is_read_too_early_says_what_to_call(read: Callable[[NNEfficiencyAnalyzer], object]) -> None:
    with pytest.raises(UsageError, match=r"nothing is analyzed yet; call analyze\(sample_data\) first"):
        read(NNEfficiencyAnalyzer(MLP))


def test_the_framework_is_found_out_or_insisted_on() -> None:
    assert NNEfficiencyAnalyzer(MLP).framework == "onnx"
    assert NNEfficiencyAnalyzer(Net()).framework == "pytorch"
    assert NNEfficiencyAnalyzer(Net(), framework="pytorch").framework == "pytorch"
    for framework in ("tensorflow", "onnx", "jax"):
        with pytest.raises(UsageError) as caught:
            NNEfficiencyAnalyzer(Net(), framework=framework)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param(lambda: quick_analyze(object(), X), "object", id="no-model"),
        pytest.param(lambda: quick_analyze(Net(), X[:, :7]), "7", id="other-shape"),
        pytest.param(lambda: quick_analyze(Net(), "nowhere.npz"), "nowhere.npz", id="no-file"),
        pytest.param(lambda: quick_analyze("nowhere.onnx"), "nowhere.onnx", id="no-model-file"),
        pytest.param(lambda: analyze(MLP, DIGITS, "nonsense"), "nonsense", id="no-pass"),
    ],
)
def test_errors_are_one_line_and_nothing_is_printed(
    call: Callable[[], object], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NneaError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


# Paths


def test_paths_are_the_best_ones_and_as_many_as_wanted(digits: NNEfficiencyAnalyzer) -> None:
    three, ten = digits.compute_neural_pathways(3), digits.compute_neural_pathways()
    assert (len(three), len(ten)) == (3, 10)
    assert [path.units for path in ten[:3]] == [path.units for path in three]
    shares = [path.share for path in ten]
    assert shares == sorted(shares, reverse=True)
    assert digits.report.pathways is not None
    assert digits.report.pathways.k == 10


def test_the_best_path_is_the_best_of_all_products_of_shares(digits: NNEfficiencyAnalyzer) -> None:
    best = digits.compute_neural_pathways(1)[0]
    reached, back = np.ones(64), []
    for layer in digits.layer_analyses:
        shares = layer.importance_matrix / layer.importance_matrix.sum(1, keepdims=True)
        steps = shares * reached
        back.append(steps.argmax(1))
        reached = steps.max(1)
    channel = int(reached.argmax())
    assert best.score == pytest.approx(reached.max())
    channels = [channel]
    for came_from in reversed(back):
        channels.append(int(came_from[channels[-1]]))
    assert [unit.channel for unit in best.units] == channels[::-1]


@pytest.mark.parametrize("count", [0, -1])
def test_no_paths_at_all_are_refused(digits: NNEfficiencyAnalyzer, count: int) -> None:
    with pytest.raises(UsageError, match="ask for 1 to"):
        digits.compute_neural_pathways(count)


def test_paths_need_the_channels_to_be_followed() -> None:
    analyzer = NNEfficiencyAnalyzer(MLP)
    analyzer.analyze(verbose=False, passes="cost")
    with pytest.raises(UsageError, match="paths need the passes channels and pathways"):
        analyzer.compute_neural_pathways()


# Once more


def test_a_second_analysis_sees_new_weights_and_leaves_the_first_one_as_it_was() -> None:
    source = Net()
    analyzer = NNEfficiencyAnalyzer(source)
    analyzer.analyze(X, verbose=False)
    first = analyzer.layer_analyses[0]
    before, weights = first.importance_matrix, first.weights.copy()
    with torch.no_grad():
        source.fc1.weight.mul_(3)
    analyzer.analyze(X, verbose=False)
    np.testing.assert_allclose(analyzer.layer_analyses[0].importance_matrix, 3 * before, rtol=1e-6)
    np.testing.assert_array_equal(first.weights, weights)
