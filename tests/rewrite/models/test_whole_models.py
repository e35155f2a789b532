"""Networks that others have made, by name, pruned to half of their MACs: sound, and exactly what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from model_zoo.light import weighed
from model_zoo.shared import CORPUS
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, helper
from oracles.prunable_facts import coupled, some
from oracles.prunable_oracle import distance, masked, run

from nnea_graph import analyze, prune
from nnea_graph.graph import TensorInfo
from nnea_graph.passes.shape_inference import SHAPES
from nnea_graph.rewrite.surgery.edit import Kept
from nnea_graph.rewrite.surgery.prune_indices import kept_slots, pruned

MODELS = Path(__file__).parents[3] / "models"
RNG = np.random.default_rng(0)
SAMPLES = 7

Feeds = Mapping[str, NDArray[Any]]


def images(*shape: int, name: str = "x") -> Callable[[int], Feeds]:
    return lambda count: {name: RNG.normal(size=(count, *shape)).astype(np.float32)}


def bytes_of_files(count: int) -> Feeds:
    return {"bytes": RNG.integers(0, 256, (count, 2048)).astype(np.int32)}


def sentences(count: int) -> Feeds:
    """Of ten tokens."""
    return {
        "input_ids": RNG.integers(1000, 20000, (count, 10)),
        "attention_mask": np.ones((count, 10), np.int64),
        "token_type_ids": np.zeros((count, 10), np.int64),
    }


CASES: Mapping[str, tuple[Callable[[], ModelProto] | Path, Callable[[int], Feeds], set[str]]] = {
    # the model, what it is fed, and the layers that must stay: all others have families, and all of these can go
    "digits_mlp": (MODELS / "digits_mlp.onnx", images(1, 8, 8), {"node_linear_2"}),
    "digits_cnn": (MODELS / "digits_cnn.onnx", images(1, 8, 8), {"node_linear"}),
    "digits_transformer": (
        MODELS / "digits_transformer.onnx",
        images(1, 8, 8),
        # the channels of every LayerNorm, as it is taken over all of them
        {
            "node_MatMul_4",
            "node_linear_2",
            "node_MatMul_93",
            "node_linear_6",
            "node_MatMul_175",
            "node_linear_9",
        },
    ),
    "magika": (
        CORPUS / "magika.onnx",
        bytes_of_files,
        {"jax2tf_get_logits_/pjit_get_logits_/MagikaV2/Dense_1/MatMul"},
    ),
    "ppocr-cls": (CORPUS / "ppocr-cls.onnx", images(3, 48, 96), {"MatMul@0"}),
    "ppocr-det": (CORPUS / "ppocr-det.onnx", images(3, 64, 64), set()),
    "minilm-int8": (
        CORPUS / "minilm-int8.onnx",
        sentences,
        # the 384 channels that the model puts out are those of the embedding and of all that is added to it
        {"node_embedding", "node_embedding_1", "node_embedding_2"}
        | {f"node_MatMul_{number}" for layer in range(6) for number in (104 + 67 * layer, 115 + 67 * layer)},
    ),
    "squeezenet": (lambda: weighed("light_squeezenet"), images(3, 64, 64), {"n62"}),
    "shufflenet": (
        lambda: weighed("light_shufflenet", 224),
        images(3, 224, 224, name="gpu_0/data_0"),
        {"n201"},
    ),
    "resnet50": (lambda: weighed("light_resnet50"), images(3, 64, 64, name="gpu_0/data_0"), {"n174"}),
    "densenet121": (lambda: weighed("light_densenet121"), images(3, 64, 64), {"n909"}),
}
LARGE = {"resnet50", "densenet121"}


def opened(name: str) -> tuple[ModelProto, Callable[[int], Feeds], set[str]]:
    source, feeds, stays = CASES[name]
    if isinstance(source, Path) and not source.exists():
        pytest.skip(f"{source.name} is not on this machine")
    model = onnx.load(source) if isinstance(source, Path) else source()
    names = [value.name for value in asked(model)]
    return model, lambda count: dict(zip(names, feeds(count).values(), strict=True)), stays


def asked(model: ModelProto) -> list[ValueInfoProto]:
    """Inputs that have no default."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in defaults]


@dataclass(frozen=True)
class Halved:
    """What is left of a model, and the layers whose channels stay."""

    model: ModelProto
    kept: Kept
    types: Mapping[str, TensorInfo]
    pinned: set[str]


def halved(model: ModelProto, feeds: Callable[[int], Feeds]) -> Halved:
    """By what each family can spare; all of them may lose channels."""
    found = prune(
        model,
        feeds(SAMPLES),
        "macs=0.5",
        refit=False,
        rivals=False,
        align=1,
        rounds=2,
        batch_size=batch_of(model),
    )
    assert found.report.met
    assert all(not family.reason or family.groups == 1 for family in found.report.families)
    types = found.plan.original[SHAPES].types
    return Halved(found.model, found.plan.kept, types, set(found.report.pinned))


def thinned(model: ModelProto) -> Halved:
    """A third of every family, drawn: to measure what each can spare takes minutes where layers are large."""
    graph, coupling = coupled(model)
    kept = kept_slots(coupling, some(coupling, 1 / 3))
    pinned = {pin.layer for pin in coupling.pinned}
    return Halved(pruned(graph, kept), kept, graph[SHAPES].types, pinned)


def batch_of(model: ModelProto) -> int:
    """1 where the model takes no more."""
    return 1 if asked(model)[0].type.tensor_type.shape.dim[0].dim_value == 1 else SAMPLES


@pytest.mark.parametrize("name", CASES)
def test_half_of_the_macs_can_go_from_every_layer_but_these(name: str) -> None:
    model, feeds, stays = opened(name)
    found = thinned(model) if name in LARGE else halved(model, feeds)
    small = found.model
    assert found.pinned == stays
    one = feeds(1)
    shapes = {key: array.shape for key, array in one.items()}
    before, after = (analyze(each, passes="cost", input_shapes=shapes).totals.macs for each in (model, small))
    assert before is not None
    assert after is not None
    assert after <= 0.5 * before
    onnx.checker.check_model(small, full_check=True)
    assert list(small.graph.output) == list(model.graph.output)
    assert asked(small) == asked(model)
    others = masked(model, found.kept, found.types), model
    got, expected, whole = (run(before_the_last(each), one) for each in (small, *others))
    assert distance(got[0], expected[0]) < 1e-4
    assert distance(got[0], whole[0]) > 1e-4
    if batch_of(model) > 1:
        three = {key: np.concatenate([each[key] for each in (one, feeds(1), feeds(1))]) for key in one}
        for alone, together in zip(run(small, one), run(small, three), strict=True):
            assert np.isfinite(together).all()
            np.testing.assert_allclose(together[:1], alone, atol=1e-4 * np.abs(alone).max())


def before_the_last(model: ModelProto) -> ModelProto:
    """With what the last Softmax or Sigmoid reads for output: of these, 0 and 1 are all that is left of any number."""
    last = next(node for node in model.graph.node if model.graph.output[0].name in node.output)
    made = ModelProto()
    made.CopyFrom(model)
    if last.op_type in {"Sigmoid", "Softmax"}:
        del made.graph.output[:]
        made.graph.output.append(helper.make_empty_tensor_value_info(last.input[0]))
    return made
