"""Ten models that real projects ship, against onnxruntime running them and a count of their own protobufs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from math import prod

import onnx
import pytest
from model_zoo.shared import CORPUS, CORPUS_NAMES
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto
from oracles.execution import Ran, macs_of, nodes_of, run_model

from nnea_graph.api.analyze import analyze
from nnea_graph.report.schema.analysis import Branch, Report

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}: set NNEA_SHARED")

SAMPLING_RATE = 16_000

CASES = [
    *(pytest.param(name, {}, {}, id=name) for name in CORPUS_NAMES if name != "silero-vad"),
    # at the dims that are assumed, both of its networks run
    pytest.param("silero-vad", {}, {"sr": 16_000}, id="silero-vad, 16 kHz"),
    pytest.param("silero-vad", {}, {"sr": 8_000}, id="silero-vad, 8 kHz"),
    # at the dims that its users feed, only one of them does
    pytest.param(
        "silero-vad", {"input.1": 576, "state.1": 1}, {"sr": 16_000}, id="silero-vad, a window at 16 kHz"
    ),
    pytest.param(
        "silero-vad", {"batch": 4, "input.1": 576, "state.1": 4}, {"sr": 16_000}, id="silero-vad, 4 streams"
    ),
    pytest.param(
        "silero-vad", {"input.1": 128, "state.1": 1}, {"sr": 8_000}, id="silero-vad, short window at 8 kHz"
    ),
    pytest.param("minilm-int8", {"batch": 3, "sequence": 37}, {}, id="minilm-int8, odd dims"),
    pytest.param("ppocr-cls", {"batch": 1, "x.2": 48, "x.3": 192}, {}, id="ppocr-cls, its usual dims"),
    pytest.param(
        "ppocr-det",
        {"batch": 1, "p2o.DynamicDimension.1": 160, "p2o.DynamicDimension.2": 96},
        {},
        id="ppocr-det, tall",
    ),
    pytest.param(
        "ppocr-rec",
        {"batch": 2, "x.2": 48, "p2o.DynamicDimension.1": 320},
        {},
        id="ppocr-rec, its usual dims",
    ),
    pytest.param(
        "romanizer-decoder", {"batch": 2, "tgt_len": 5, "src_len": 9}, {}, id="romanizer-decoder, odd dims"
    ),
]

RUNS = pytest.mark.parametrize(("name", "dims", "scalars"), CASES)


@cache
def model_of(name: str) -> onnx.ModelProto:
    return onnx.load(CORPUS / f"{name}.onnx")


def report_of(name: str, dims: Mapping[str, int] | None = None) -> Report:
    return cached_report(name, tuple(sorted((dims or {}).items())))


@cache
def cached_report(name: str, dims: tuple[tuple[str, int], ...]) -> Report:
    return analyze(CORPUS / f"{name}.onnx", passes="cost", dims=dict(dims))


def executed(name: str, dims: Mapping[str, int], scalars: Mapping[str, int]) -> list[Ran]:
    return cached_run(name, tuple(sorted(dims.items())), scalars.get("sr", SAMPLING_RATE))


@cache
def cached_run(name: str, dims: tuple[tuple[str, int], ...], rate: int) -> list[Ran]:
    inputs = report_of(name, dict(dims)).model.inputs
    shapes = {tensor.name: [int(dim or 0) for dim in tensor.shape or ()] for tensor in inputs}
    return run_model(model_of(name), shapes, {"sr": rate})


def test_the_corpus_is_the_ten_models_tested_here() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.onnx")) == CORPUS_NAMES


@pytest.mark.parametrize("name", CORPUS_NAMES)
def test_every_operator_is_counted_exactly(name: str) -> None:
    coverage = report_of(name).totals.coverage
    assert coverage is not None
    assert (coverage.unknown, coverage.estimated, coverage.unknown_ops) == (0, 0, {})


# Shapes and MACs, against what onnxruntime executes


def inferred(report: Report) -> dict[str, tuple[str | None, tuple[int | str | None, ...] | None]]:
    """Type and shape by the tensor's name in the file, where names are unique across bodies."""
    found = {}
    for node in report.nodes:
        for tensor, dtype, shape in zip(node.outputs, node.dtypes, node.shapes, strict=True):
            name = tensor.removeprefix(f"{node.body}/") if node.body else tensor
            assert name not in found
            found[name] = (dtype, None if shape is None else tuple(shape))
    return found


@RUNS
def test_every_tensor_has_the_type_and_shape_that_onnxruntime_makes(
    name: str, dims: dict[str, int], scalars: dict[str, int]
) -> None:
    ours = inferred(report_of(name, dims))
    observed = {tensor: seen for ran in executed(name, dims, scalars) for tensor, seen in ran.outputs.items()}
    assert observed
    assert {tensor: ours.get(tensor) for tensor in observed} == observed


@pytest.mark.parametrize("name", [name for name in CORPUS_NAMES if name != "silero-vad"])
def test_every_operator_of_a_model_without_branches_is_compared(name: str) -> None:
    made = {tensor for node in report_of(name).nodes for tensor in node.outputs if tensor}
    observed = {tensor for ran in executed(name, {}, {}) for tensor in ran.outputs}
    assert observed == made


@RUNS
def test_macs_are_those_of_the_shapes_that_ran(
    name: str, dims: dict[str, int], scalars: dict[str, int]
) -> None:
    report = report_of(name, dims)
    counted = sum(macs_of(ran) for ran in executed(name, dims, scalars))
    assert counted > 0
    if scalars:
        assert network(report, scalars["sr"]).macs == counted
    else:
        assert report.totals.macs == counted


# Silero: two networks behind one If


def network(report: Report, rate: int) -> Branch:
    attribute = "then_branch" if rate == SAMPLING_RATE else "else_branch"
    (branch,) = [each for each in report.branches if each.path.endswith(attribute) and each.owner == "If_0"]
    return branch


def test_both_networks_of_silero_are_listed_and_the_costlier_is_in_the_total() -> None:
    report = report_of("silero-vad")
    wide, narrow = network(report, 16_000), network(report, 8_000)
    wide_macs, narrow_macs = wide.macs or 0, narrow.macs or 0
    assert (wide.in_total, narrow.in_total) == (wide_macs > narrow_macs, narrow_macs > wide_macs)
    assert report.totals.macs == max(wide_macs, narrow_macs)
    assert min(wide_macs, narrow_macs) > 0
    assert report.totals.parameters == (wide.parameters or 0) + (narrow.parameters or 0)


def test_the_window_that_a_user_feeds_takes_the_16_khz_network_and_says_why_not_the_other() -> None:
    report = report_of("silero-vad", {"input.1": 576, "state.1": 1})
    wide, narrow = network(report, 16_000), network(report, 8_000)
    assert (wide.in_total, wide.runs, narrow.in_total, narrow.runs) == (True, 1, False, 0)
    assert narrow.reason.startswith("cannot run at these dims")
    assert report.totals.macs == wide.macs


def test_the_16_khz_network_has_the_parameters_of_the_file_that_holds_it_alone() -> None:
    alone = report_of("silero-vad-sequence").totals
    assert network(report_of("silero-vad"), 16_000).parameters == alone.parameters == 309_633


# Parameters, by a walk over the protobuf

SETTINGS = {"Clip", "Resize", "Pad", "Where", "Equal", "Max", "Min", "Slice", "Cast", "Pow"}
STORED = {TensorProto.FLOAT, TensorProto.INT8}


def graphs_of(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from graphs_of(attribute.g)


def stored_tensors(graph: GraphProto) -> dict[str, TensorProto]:
    found = {tensor.name: tensor for each in graphs_of(graph) for tensor in each.initializer}
    return found | {
        node.output[0]: node.attribute[0].t for node in nodes_of(graph) if node.op_type == "Constant"
    }


def is_weight(tensor: TensorProto, uses: list[tuple[NodeProto, int]], makers: dict[str, str]) -> bool:
    """Not a single number unless a convolution's bias, not a running statistic, not a quantization scale."""
    size = prod(tensor.dims)
    if tensor.data_type not in STORED or not uses:
        return False
    if tensor.data_type == TensorProto.INT8:
        return all(node.op_type == "Cast" for node, _ in uses)
    if size < 2:
        return all((node.op_type, index) == ("Conv", 2) for node, index in uses)
    if all(node.op_type == "BatchNormalization" and index > 2 for node, index in uses):
        return False
    if any(node.op_type == "Mul" and makers.get(node.input[0]) == "integers" for node, _ in uses):
        return False
    # the gates of a recurrent weight are cut out of it and joined in another order
    sliced = all(node.op_type == "Slice" and index == 0 for node, index in uses)
    return sliced or not all(node.op_type in SETTINGS for node, _ in uses)


def counted_parameters(name: str) -> int:
    graph = model_of(name).graph
    stored = stored_tensors(graph)
    uses: dict[str, list[tuple[NodeProto, int]]] = defaultdict(list)
    for node in nodes_of(graph):
        for index, tensor in enumerate(node.input):
            uses[tensor].append((node, index))
    integers = {tensor for tensor, proto in stored.items() if proto.data_type == TensorProto.INT8}
    makers = {
        node.output[0]: "integers"
        for node in nodes_of(graph)
        if node.op_type == "Cast" and node.input[0] in integers
    }
    return sum(prod(proto.dims) for tensor, proto in stored.items() if is_weight(proto, uses[tensor], makers))


@pytest.mark.parametrize(
    ("name", "published"),
    [
        pytest.param("basic-pitch", 36_000, id="basic-pitch: 36 K"),
        pytest.param("magika", 800_000, id="magika: 0.8 M"),
        pytest.param("minilm-int8", 22_600_000, id="minilm-int8: 22.6 M"),
        pytest.param("ppocr-cls", 130_000, id="ppocr-cls: 0.13 M"),
        pytest.param("ppocr-det", 1_200_000, id="ppocr-det: 1.2 M"),
        pytest.param("ppocr-rec", 2_700_000, id="ppocr-rec: 2.7 M"),
        pytest.param("romanizer-decoder", 1_100_000, id="romanizer-decoder: 1.8 M with the encoder"),
        pytest.param("romanizer-encoder", 700_000, id="romanizer-encoder: 1.8 M with the decoder"),
        pytest.param("silero-vad", 550_000, id="silero-vad: 0.55 M"),
        pytest.param("silero-vad-sequence", 310_000, id="silero-vad-sequence"),
    ],
)
def test_parameters_are_those_of_the_protobuf_and_near_what_is_published(name: str, published: int) -> None:
    parameters = report_of(name).totals.parameters
    assert parameters == counted_parameters(name)
    assert parameters == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize(
    ("name", "channels"),
    # a BatchNorm for every channel of the trunk's normalized layers: half of what stands beside the parameters
    [("ppocr-cls", 2136), ("ppocr-det", 64), ("ppocr-rec", 856), ("magika", 0)],
)
def test_buffers_are_a_mean_and_a_variance_for_every_normalized_channel(name: str, channels: int) -> None:
    graph = model_of(name).graph
    sizes = {tensor: prod(proto.dims) for tensor, proto in stored_tensors(graph).items()}
    norms = [node for node in graph.node if node.op_type == "BatchNormalization"]
    assert sum(sizes[node.input[3]] for node in norms) == channels
    assert report_of(name).totals.buffers == 2 * channels


@pytest.mark.parametrize("name", CORPUS_NAMES)
def test_layers_add_up_to_the_parameters(name: str) -> None:
    report = report_of(name)
    assert sum(layer.parameters for layer in report.layers) == report.totals.parameters
    assert sum(node.macs or 0 for node in report.nodes if node.in_total) == report.totals.macs


# The formula, evaluated here, against counts at other dims


def evaluated(formula: str, dims: Mapping[str, int]) -> Fraction:
    """A sum of products of numbers and powers of symbols."""
    total = Fraction(0)
    for term in formula.replace(" - ", " + -1*").split(" + "):
        value = Fraction(1)
        for factor in term.split("*"):
            base, _, power = factor.partition("^")
            value *= Fraction(dims.get(base, base)) ** int(power or 1)
        total += value
    return total


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        pytest.param("basic-pitch", {"batch": 5}, id="basic-pitch"),
        pytest.param("magika", {"batch": 7}, id="magika"),
        pytest.param("minilm-int8", {"batch": 3, "sequence": 37}, id="minilm-int8"),
        pytest.param("ppocr-cls", {"batch": 2, "x.2": 48, "x.3": 192}, id="ppocr-cls"),
        pytest.param(
            "ppocr-det",
            {"batch": 1, "p2o.DynamicDimension.1": 160, "p2o.DynamicDimension.2": 96},
            id="ppocr-det",
        ),
        pytest.param("romanizer-decoder", {"batch": 2, "tgt_len": 5, "src_len": 9}, id="romanizer-decoder"),
        pytest.param("romanizer-encoder", {"batch": 2, "src_len": 9}, id="romanizer-encoder"),
        pytest.param("silero-vad-sequence", {"sequence_length": 11}, id="silero-vad-sequence"),
    ],
)
def test_the_formula_of_one_report_gives_the_count_at_other_dims(name: str, dims: dict[str, int]) -> None:
    formula = report_of(name).totals.macs_formula
    assert formula is not None
    assert evaluated(formula, dims) == report_of(name, dims).totals.macs
