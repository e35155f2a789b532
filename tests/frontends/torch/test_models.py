"""Torch models: names, parameters and costs are those of torch, untrained and trained, and so are the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from model_zoo.torch_models import MODELS, example, trained
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nnea_graph.api.analyze import report_on
from nnea_graph.api.request import AnalysisRequest
from nnea_graph.report.schema.analysis import Report
from nnea_graph.runtime.export_parity import Parity


@dataclass(frozen=True)
class Case:
    """A module and what is said of it, of one sample."""

    name: str
    module: nn.Module
    inputs: dict[str, torch.Tensor]
    report: Report
    parity: Parity | None
    modes: tuple[list[bool], list[bool]]
    """Of each module, whether it was in train mode before the analysis and after it."""


def analyzed(module: nn.Module, inputs: dict[str, torch.Tensor], name: str) -> Case:
    modes = [each.training for each in module.modules()]
    opened = AnalysisRequest(source=module, data=inputs, passes="cost,weight_statistics").open()
    report, _ = report_on(opened)
    after = [each.training for each in module.modules()]
    return Case(name, module, inputs, report, opened.model.parity, (modes, after))


@pytest.fixture(
    scope="module",
    params=[pytest.param((name, steps), id=f"{name}-{steps}") for name in MODELS for steps in (0, 3)],
)
def case(request: pytest.FixtureRequest) -> Case:
    name, steps = request.param
    make, shapes = MODELS[name]
    torch.manual_seed(0)
    inputs = example(shapes)
    module = trained(make(), inputs, steps) if steps else make()
    return analyzed(module, inputs, name)


def test_the_export_does_what_the_module_does(case: Case) -> None:
    assert case.parity is not None
    assert case.parity.difference is not None
    assert case.parity.difference < 1e-5
    assert case.parity.agrees


def test_parameters_are_those_of_the_module(case: Case) -> None:
    totals = case.report.totals
    assert totals.parameters == sum(each.numel() for each in case.module.parameters())
    assert totals.trainable_parameters == totals.parameters
    assert totals.buffers == sum(each.numel() for each in case.module.buffers())


def test_every_module_has_its_class_and_its_parameters(case: Case) -> None:
    said = {module.path: (module.class_name, module.parameters) for module in case.report.modules}
    counted = {
        name: (type(each).__name__, sum(tensor.numel() for tensor in each.parameters()))
        for name, each in case.module.named_modules()
    }
    assert said == counted


def test_layers_have_the_names_and_the_parameters_of_the_modules_that_hold_them(case: Case) -> None:
    owned: dict[str, int] = {}
    for name, parameter in case.module.named_parameters():
        module = name.rpartition(".")[0]
        owned[module] = owned.get(module, 0) + parameter.numel()
    said: dict[str, int] = {}
    for layer in case.report.layers:
        said[layer.scope] = said.get(layer.scope, 0) + layer.parameters
    folded = {module.path for module in case.report.modules if module.note.startswith("folded into")}
    tied = {layer.scope for layer in case.report.layers if layer.tied_to}
    assert {name: size for name, size in said.items() if name not in tied or size} == {
        name: size for name, size in owned.items() if name not in folded
    }


def test_macs_are_half_the_flops_of_torch(case: Case) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        case.module.train()  # in eval mode the encoder takes a fused path that is not counted
        case.module(**{name: tensor[:1] for name, tensor in case.inputs.items()})
    counted = counter.get_total_flops() // 2
    if case.name == "lstm":  # its kernel is not counted: four gates, two directions, five steps
        width, steps = 12, case.inputs["x"].shape[1]
        counted += 2 * steps * 4 * width * (8 + width) + 2 * steps * 4 * width * (2 * width + width)
    if case.name in {"encoder", "attention"}:
        counted += missed_attention(case, counter)
    assert case.report.totals.macs == counted


def missed_attention(case: Case, counter: FlopCounterMode) -> int:
    """Queries by keys and weights by values, where the counter knows nothing of the fused kernel."""
    names = {str(kind) for kind in counter.get_flop_counts().get("Global", {})}
    if any("attention" in name or "bmm" in name for name in names):
        return 0
    if case.name == "encoder":
        return 2 * 2 * 7 * 7 * 32
    return 2 * 5 * 7 * 16


def test_train_mode_is_left_as_found(case: Case) -> None:
    before, after = case.modes
    assert any(before)
    assert after == before


def test_modules_add_up_to_the_model(case: Case) -> None:
    root = case.report.modules[0]
    totals = case.report.totals
    assert (root.path, root.macs, root.flops, root.training_flops) == (
        "",
        totals.macs,
        totals.flops,
        totals.training_flops,
    )
    assert root.weight_totals is not None
    assert root.weight_totals.effective_parameters == pytest.approx(totals.effective_parameters)
    assert root.weight_totals.redundancy_score == pytest.approx(totals.redundancy_score)
    outermost = [module for module in case.report.modules if module.depth == 1]
    inside = sum(module.macs or 0 for module in outermost)
    assert inside + own_macs(case) == totals.macs


def own_macs(case: Case) -> int:
    """Of operators that are in no module of the model."""
    return sum(node.macs or 0 for node in case.report.nodes if not node.scope)
