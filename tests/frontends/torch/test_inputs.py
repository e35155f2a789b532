"""Torch modules whose inputs come in a dict, data whose batches are dicts, and modules of bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nnea_graph import NNEfficiencyAnalyzer, analyze
from nnea_graph.errors import NneaError, UsageError
from nnea_graph.runtime.live_model import LiveModel

random = np.random.default_rng(0)
LEFT = random.standard_normal((8, 4)).astype(np.float32)
RIGHT = 10 * random.standard_normal((8, 4)).astype(np.float32)
BATCH = {"left": LEFT, "right": RIGHT}


class TakesDict(nn.Module):
    """Two entries of one shape: only their names tell them apart."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"out": self.one(batch["left"]) - torch.relu(self.other(batch["right"]))}


class TakesNames(TakesDict):
    def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return super().forward({"left": left, "right": right})


class Rows(Dataset[dict[str, Any]]):
    """Samples as dicts, in the given order of keys, perhaps with a label."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(LEFT)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = {"left": LEFT[index], "right": RIGHT[index], "label": index % 3}
        return {name: row[name] for name in self.names}


def importance(analyzer: NNEfficiencyAnalyzer) -> dict[str, float]:
    return {each.name: float(each.importance_matrix.sum()) for each in analyzer.layer_analyses}


def wanted() -> dict[str, float]:
    """sum |w| mean|a|, by hand."""
    module = TakesDict()
    pairs = {"one": (module.one, LEFT), "other": (module.other, RIGHT)}
    return {
        name: float((layer.weight.detach().abs().numpy() * np.abs(x).mean(0)).sum())
        for name, (layer, x) in pairs.items()
    }


DATA: dict[str, Callable[[], Any]] = {
    "dict": lambda: BATCH,
    "tensors": lambda: {name: torch.from_numpy(array) for name, array in BATCH.items()},
    "other-order": lambda: {"right": RIGHT, "left": LEFT},
    "by-parameter": lambda: {"batch": BATCH},
    "loader": lambda: DataLoader(Rows("left", "right"), 3),
    "loader-other-order": lambda: DataLoader(Rows("right", "left"), 3),
    "loader-with-labels": lambda: DataLoader(Rows("label", "right", "left"), 3),
    "list": lambda: [{"left": LEFT[:5], "right": RIGHT[:5]}, {"right": RIGHT[5:], "left": LEFT[5:]}],
}


@pytest.fixture(scope="module")
def analyzer() -> NNEfficiencyAnalyzer:
    return NNEfficiencyAnalyzer(TakesDict())


@pytest.mark.parametrize("form", DATA)
def test_a_forward_of_one_dict_takes_data_of_every_form(analyzer: NNEfficiencyAnalyzer, form: str) -> None:
    report = analyzer.analyze(DATA[form](), verbose=False, passes="importance")
    assert report.data is not None
    assert report.data.samples == 8
    assert {each.name for each in report.model.inputs} == {"left", "right"}
    assert importance(analyzer) == pytest.approx(wanted(), rel=1e-5)


@pytest.mark.parametrize("names", [("left", "right"), ("right", "left"), ("label", "right", "left")])
def test_batches_that_are_dicts_go_to_parameters_by_name(names: tuple[str, ...]) -> None:
    analyzer = NNEfficiencyAnalyzer(TakesNames())
    analyzer.analyze(DataLoader(Rows(*names), 3), verbose=False, passes="importance")
    assert importance(analyzer) == pytest.approx(wanted(), rel=1e-5)


def test_labels_in_the_dicts_of_a_loader_are_used() -> None:
    found = analyze(TakesDict(), DataLoader(Rows("left", "right", "label"), 3), "sensitivity{units=weights}")
    with torch.no_grad():
        scores = TakesDict()({name: torch.from_numpy(array) for name, array in BATCH.items()})["out"]
    right = float((scores.argmax(1) == torch.arange(8) % 3).float().mean())
    assert found.sensitivity is not None
    assert found.sensitivity.accuracy == pytest.approx(right)


def test_shapes_of_the_entries_of_a_dict_make_an_example() -> None:
    report = analyze(TakesDict(), passes="cost", input_shapes={"left": (5, 4), "right": (5, 4)})
    assert report.totals.macs == 5 * 2 * 4 * 3
    with pytest.raises(NneaError, match="'right'") as caught:
        analyze(TakesDict(), passes="cost", input_shapes={"left": (5, 4)})
    assert "\n" not in str(caught.value)


class OneEntry(nn.Module):
    """Its output is called as its input would be."""

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        return batch["relu"].relu()


def test_a_name_that_the_graph_has_already_stays_the_exporters() -> None:
    live = LiveModel(OneEntry())
    graph = live.graph({"batch": {"relu": LEFT}})
    assert live.parity is not None
    assert live.parity.agrees
    assert len({*graph.inputs, *graph.outputs}) == 2


# bfloat16


class Net(nn.Module):
    """A convolution with a normalization to fold, a buffer, a layer that is used twice."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 8)
        self.register_buffer("shift", torch.linspace(-1, 1, 8), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3)) + self.shift
        out: Tensor = self.head(torch.relu(self.head(x)))
        return out


IMAGES = torch.randn(6, 3, 6, 6, generator=torch.Generator().manual_seed(2))


def rounded(module: nn.Module) -> nn.Module:
    """The same numbers in float32."""
    return module.bfloat16().float()


@pytest.mark.parametrize("data", [IMAGES, IMAGES.bfloat16()], ids=["float", "bfloat16"])
def test_a_module_of_bfloat16_is_the_one_of_float32_with_its_numbers(data: Tensor) -> None:
    module = Net().bfloat16()
    found, same = (
        analyze(each, x, "importance") for each, x in ((module, data), (rounded(Net()), data.float()))
    )
    assert found.totals == same.totals
    assert found.layers == same.layers
    assert [each.severity for each in found.findings if each.rule == "NNEA115"] == ["note"]
    assert module.conv.weight.dtype == torch.bfloat16
    assert module.training


def test_new_weights_of_bfloat16_are_seen_without_another_export() -> None:
    module = Net().bfloat16()
    live = LiveModel(module)
    live.graph(IMAGES)
    with torch.no_grad():
        module.head.weight.fill_(0.5)
        module.shift.fill_(3)
    graph = live.graph(IMAGES)
    assert np.all(graph.constants["head.weight"].array() == 0.5)
    assert live.parity is not None
    assert live.parity.agrees
    module.head.requires_grad_(requires_grad=False)
    facts = live.graph(IMAGES).source
    assert facts is not None
    assert facts.trainable == facts.size - 8 * 8 - 8


def test_shared_weights_of_bfloat16_stay_shared() -> None:
    module = Net()
    module.again = nn.Linear(8, 8)
    module.again.weight = module.head.weight
    report = analyze(module.bfloat16(), IMAGES, "cost")
    assert report.totals.parameters == sum(each.numel() for each in module.parameters())


class Stubborn(Net):
    def __deepcopy__(self, memo: object) -> nn.Module:
        raise RuntimeError("there is only one of me")


def test_a_module_of_bfloat16_that_cannot_be_copied_is_one_line() -> None:
    with pytest.raises(
        NneaError, match="the model cannot be copied to float32: RuntimeError: there is only"
    ) as caught:
        analyze(Stubborn().bfloat16(), IMAGES)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UsageError)
