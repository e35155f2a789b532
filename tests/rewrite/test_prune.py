"""Whole prunings of the small trained models: targets, criteria, what stays, what is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from nnea_graph import prune
from nnea_graph.errors import DataError, UsageError
from nnea_graph.rewrite.prune import BARE, RANDOM
from nnea_graph.rewrite.selection.channel_blocks import kind_of, steps_of
from nnea_graph.rewrite.selection.criteria import CRITERIA
from nnea_graph.rewrite.selection.targets import Target, parse_target, parse_targets

MODELS = Path(__file__).parents[2] / "models"
CNN, MLP, DATA = MODELS / "digits_cnn.onnx", MODELS / "digits_mlp.onnx", MODELS / "digits.npz"


def stored(model: onnx.ModelProto) -> int:
    return sum(int(np.prod(each.dims)) for each in model.graph.initializer if each.data_type == 1)


def answers(model: onnx.ModelProto) -> tuple[NDArray[Any], NDArray[Any]]:
    with np.load(DATA) as file:
        x, labels = file["x"], file["y"] if "y" in file else file["labels"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]
    return found, labels


def test_what_is_counted_is_what_the_model_holds_and_the_refit_is_worth_it() -> None:
    found = prune(MLP, DATA, "params=0.3", align=1, rounds=2)
    (target,) = found.report.targets
    assert target.met
    assert found.report.met
    assert target.reached is not None
    assert target.reached == pytest.approx(stored(found.model) / stored(onnx.load(MLP)), rel=1e-6)
    assert target.reached <= 0.3
    accuracies = {each.model: each.accuracy or 0.0 for each in found.report.verification.likeness}
    assert accuracies["pruned"] > accuracies[BARE]
    assert accuracies["pruned"] > accuracies["original"] - 0.05
    assert set(found.rivals) == {BARE, RANDOM}
    output, labels = answers(found.model)
    assert float((output.argmax(1) == labels).mean()) > 0.9


def test_macs_and_params_together_and_kept_layers() -> None:
    found = prune(
        CNN, DATA, ["macs=0.6", "params=0.6"], align=1, keep=["pointwise"], samples=70, rivals=False, rounds=2
    )
    assert found.report.met
    kept = {each.family: each for each in found.report.families}
    (pointwise,) = [each for each in kept.values() if "keep" in each.reason]
    assert pointwise.kept == pointwise.groups == 128
    onnx.checker.check_model(found.model, full_check=True)


def test_align_keeps_multiples() -> None:
    found = prune(CNN, DATA, "macs=0.5", align=8, samples=70, rivals=False, rounds=2)
    assert all(each.kept % 8 == 0 for each in found.report.families)
    assert any(each.kept < each.groups for each in found.report.families)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_makes_a_sound_model_of_the_wanted_size(criterion: str) -> None:
    found = prune(MLP, DATA, "params=0.5", criterion=criterion, align=1, rivals=False, rounds=2, refit=False)
    assert found.report.met
    assert not found.report.verification.layers


def test_the_same_seed_gives_the_same_model() -> None:
    one, other = (
        prune(MLP, DATA, "params=0.4", align=1, rivals=False, rounds=2, seed=3).model for _ in range(2)
    )
    assert one.SerializeToString() == other.SerializeToString()


def test_a_loss_is_searched_and_kept_to() -> None:
    found = prune(MLP, DATA, "loss=3%", align=1, rivals=False, rounds=2)
    (target,) = found.report.targets
    assert target.reached is not None
    shares = found.report.verification
    assert (shares.pruned.parameters or 0) < 0.7 * (shares.original.parameters or 0)


def test_out_of_reach_is_the_nearest_and_not_met() -> None:
    found = prune(MLP, DATA, "params=0.001", align=1, rivals=False, rounds=2, refit=False)
    assert not found.report.met
    (target,) = found.report.targets
    assert target.reached is not None
    assert 0.001 < target.reached < 0.2


def test_a_loss_needs_labels() -> None:
    x = np.zeros((30, 1, 8, 8), np.float32)
    with pytest.raises(UsageError, match="labels"):
        prune(CNN, {"x": x}, "loss=1%", align=1)
    with pytest.raises(DataError, match="runs of the model"):
        prune(CNN, {"x": x[:2]}, "macs=0.5", align=1)


@pytest.mark.parametrize("text", ["macs", "macs=2", "macs=0", "speed=0.5", "loss=", "params=-1"])
def test_no_target(text: str) -> None:
    with pytest.raises(UsageError, match="--target"):
        parse_target(text)


def test_targets() -> None:
    assert parse_targets(["macs=50%", "loss=0.5%"]) == (Target("macs", 0.5), Target("loss", 0.005))
    with pytest.raises(UsageError, match="twice"):
        parse_targets(["macs=0.5", "macs=0.4"])
    with pytest.raises(UsageError, match="say what"):
        parse_targets([])


def test_alignment_is_a_number_or_measured() -> None:
    assert steps_of("8", ["dense", "convolution"]) == {"dense": 8, "convolution": 8}
    assert kind_of(["Gemm", "Conv"]) == "convolution"
    measured = steps_of("auto", ["convolution"])
    assert measured["convolution"] in {1, 8, 16}
    with pytest.raises(UsageError, match="--align"):
        steps_of("many", [])


def test_a_bias_of_two_axes_behind_a_product_is_mended_as_it_is_stored() -> None:
    graph = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 17]>
        net (float[n, 6] x) => (float[n, 3] y) {
            a = MatMul(x, w1)
            b = Add(a, b1)
            c = Relu(b)
            d = MatMul(c, w2)
            y = Add(d, b2)
        }""")
    rng = np.random.default_rng(0)
    for name, shape in {"w1": (6, 16), "b1": (1, 16), "w2": (16, 3), "b2": (1, 3)}.items():
        values = rng.standard_normal(shape).astype(np.float32)
        graph.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    data = {"x": rng.standard_normal((200, 6)).astype(np.float32)}
    found = prune(graph, data, "params=0.6", align=1, rounds=2)
    assert found.report.met
    (family,) = found.report.families
    assert [point.removed for point in family.measured] == [2, 4, 8, 12, 14]
    changes = [point.relative_l2 or 0.0 for point in family.measured]
    assert changes == sorted(changes)
    sqnr = {each.model: each.sqnr_db or 0.0 for each in found.report.verification.likeness}
    assert sqnr["pruned"] > sqnr[BARE] + 3
