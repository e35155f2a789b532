"""A plan says what the rewritten model will have less, and what is changed in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_zoo.prunable_images import image_net, plain, residual
from onnx import ModelProto, helper
from oracles.prunable_facts import coupled
from oracles.slicing import network

from nnea_graph import prune_plan
from nnea_graph.api.analyze import analyze
from nnea_graph.errors import RunError
from nnea_graph.report.schema.pruning_plan import FamilyParts, PruningPlan
from nnea_graph.rewrite.preview.savings import KeptCounts, saved_time
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned
from nnea_graph.rewrite.verify.speedup import speed_of
from nnea_graph.runtime.export.to_onnx import Written

MODELS = Path(__file__).parents[3] / "models"
RNG = np.random.default_rng(0)


def of(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape)


def block() -> ModelProto:
    """Convolutions around a sum, with everything that can hang on their channels."""
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], name="stem", pads=[1, 1, 1, 1]),
        make("BatchNormalization", ["c1", "g", "b", "m", "v"], ["n1"], name="norm"),
        make("Conv", ["n1", "w2"], ["c2"], name="inner", pads=[1, 1, 1, 1]),
        make("Add", ["c2", "shift"], ["s2"], name="shifted"),
        make("PRelu", ["s2", "slope"], ["r2"], name="prelu"),
        make("Conv", ["r2", "w3"], ["c3"], name="outer"),
        make("Add", ["n1", "c3"], ["sum"], name="sum"),
        make("Conv", ["sum", "w4"], ["c4"], name="depthwise", group=8),
        make("Mul", ["c4", "factor"], ["f4"], name="scaled"),
        make("Reshape", ["f4", "to"], ["flat"], name="flatten"),
        make("Gemm", ["flat", "w5"], ["y"], name="head"),
    ]
    shapes = {"w1": (8, 3, 3, 3), "b1": (8,), "g": (8,), "b": (8,), "m": (8,), "w2": (6, 8, 3, 3)}
    shapes |= {"shift": (1, 6, 1, 1), "slope": (6, 1, 1), "w3": (8, 6, 1, 1), "w4": (8, 1, 1, 1)}
    shapes |= {"factor": (8, 1, 1), "w5": (8 * 16, 5)}
    constants = {name: of(*shape) for name, shape in shapes.items()}
    constants |= {"v": np.ones(8), "to": np.array([1, 128], np.int64)}
    return network(nodes, constants, [1, 3, 4, 4], [1, 5])


def plan(model: ModelProto | Path, **options: Any) -> PruningPlan:
    return prune_plan(model, **{"align": 1, "may_run": False, **options})


def test_every_operator_that_changes_is_named_by_what_it_is_to_the_channels() -> None:
    found = {each.family: each.parts for each in plan(block()).families}
    assert found == {
        "stem": FamilyParts(
            producers=("stem", "outer", "depthwise"),
            consumers=("inner", "head"),
            normalizations=("norm",),
            biases=(),
            constants=("scaled",),
            sizes=("depthwise", "flatten"),
        ),
        "inner": FamilyParts(
            producers=("inner", "prelu"),
            consumers=("outer",),
            normalizations=(),
            biases=("shifted",),
            constants=(),
            sizes=(),
        ),
    }


def bytes_of(model: ModelProto) -> int:
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer if tensor.data_type == 1)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(block, id="block"),
        pytest.param(lambda: image_net(1, (plain, residual))[0], id="residual"),
        pytest.param(lambda: MODELS / "digits_cnn.onnx", id="digits_cnn"),
        pytest.param(lambda: MODELS / "digits_transformer.onnx", id="digits_transformer"),
    ],
)
def test_what_is_saved_is_what_the_rewritten_model_lacks(make: Callable[[], ModelProto | Path]) -> None:
    model = make()
    graph, coupling = coupled(model)
    whole = pruned(graph, {})
    before = analyze(whole, passes="cost").totals
    found = plan(model)
    assert (found.parameters, found.macs) == (before.parameters, before.macs)
    assert found.families
    for family, each in zip(coupling.families, found.families, strict=True):
        assert each.half is not None
        kept = kept_slots(coupling, family.groups[len(family.groups) - each.half.groups :])
        small = pruned(graph, kept)
        after = analyze(small, passes="cost").totals
        assert each.half.parameters == (before.parameters or 0) - (after.parameters or 0)
        assert each.half.macs == (before.macs or 0) - (after.macs or 0)
        assert each.half.bytes == bytes_of(whole) - bytes_of(small)


@pytest.mark.parametrize(
    ("count", "step", "one", "half"),
    [
        pytest.param(32, 16, 16, 16, id="blocks"),
        pytest.param(100, 16, 96, 48, id="the first removal is to a multiple"),
        pytest.param(10, 1, 9, 5, id="channel by channel"),
        pytest.param(3, 1, 2, 1, id="odd"),
        pytest.param(1, 1, None, None, id="a single group stays"),
    ],
)
def test_steps_end_at_multiples(count: int, step: int, one: int | None, half: int | None) -> None:
    steps = KeptCounts(count, step)
    assert (steps.after_one(), steps.after_half()) == (one, half)


def test_what_would_stay_says_why() -> None:
    found = plan(block(), keep=["inn*"])
    assert {each.family: each.reason for each in found.families} == {
        "stem": "",
        "inner": "kept, as --keep says",
    }
    assert [(each.layer, each.channels, each.reason) for each in found.pinned] == [
        ("head", 5, "output of the model")
    ]


def test_without_running_there_is_no_time_and_no_measured_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a session was made")

    monkeypatch.setattr("nnea_graph.runtime.session.session.Session.__init__", refuse)
    found = plan(block(), align="auto")
    assert (found.data, found.run_samples, found.align_reason) == ("", None, "not run: --no-run")
    for each in found.families:
        assert (each.step, each.half_time.seconds, each.half_time.reason) == (1, None, "not run: --no-run")


def test_half_of_the_work_takes_less_time() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["h"], name="v"),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"], name="w"),
    ]
    model = network(nodes, {"v": of(1200, 1200), "w": of(1200, 1200)}, [16, 1200], [16, 1200])
    found = plan(model, may_run=True, rounds=12)
    assert (found.data, found.synthetic, found.run_samples) == ("synthetic (seed 0)", True, 16)
    (family,) = found.families
    time = family.half_time
    assert time.measured is not None
    assert time.measured.threads == 1
    assert time.seconds is not None
    assert time.low is not None
    assert time.high is not None
    assert 0 < time.low <= time.seconds <= time.high < time.measured.before
    assert time.seconds == pytest.approx(time.measured.before * (1 - 1 / time.measured.speedup))


def test_the_same_model_twice_saves_no_time_that_could_be_told() -> None:
    model = Written(block())
    (speed,) = speed_of(model, model, {"x": np.zeros((1, 3, 4, 4), np.float32)}, (1,), 3)
    found = saved_time(speed)
    assert (found.seconds, found.low, found.high, found.measured) == (None, None, None, speed)
    assert "3 rounds are too few" in found.reason


def test_a_model_that_cannot_run_on_made_up_inputs_has_no_times() -> None:
    model = block()
    model.graph.node.append(helper.make_node("Nonsense", ["x"], ["z"], domain="nobody"))
    model.opset_import.append(helper.make_opsetid("nobody", 1))
    model.graph.output.append(helper.make_tensor_value_info("z", 1, None))
    found = plan(model, may_run=True)
    assert {each.half_time.reason[:19] for each in found.families} == {"not on made-up inpu"}
    with pytest.raises(RunError):
        plan(model, may_run=True, data={"x": np.zeros((4, 3, 4, 4), np.float32)})
