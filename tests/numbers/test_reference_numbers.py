"""Published networks come out to the digit, and onnx's light models to an independent count."""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_zoo.lenet import lenet_5_caffe, lenet_300_100, mlp
from model_zoo.transformers import bert_base, vit
from model_zoo.vision import densenet121, resnet50, squeezenet, vgg19
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

from nnea_graph.api.analyze import analyze

PUBLISHED = [
    # model, MACs (FIELD.md), parameters as torchvision and Han (2015) count them
    pytest.param(resnet50(), 4_089_184_256, 25_557_032, id="ResNet-50 v1.5"),
    pytest.param(vit(16, 768, 12, 12), 17_563_828_224, 86_567_656, id="ViT-B/16"),
    pytest.param(vit(32, 768, 12, 12), 4_409_186_304, 88_224_232, id="ViT-B/32"),
    pytest.param(vit(16, 1024, 24, 16), 61_554_712_576, 304_326_632, id="ViT-L/16"),
    pytest.param(vgg19(), 19_632_062_464, 143_667_240, id="VGG-19"),
    pytest.param(densenet121(), 2_834_161_664, 7_978_856, id="DenseNet-121"),
    pytest.param(squeezenet(), 349_151_936, 1_235_496, id="SqueezeNet 1.1"),
    pytest.param(lenet_300_100(), 266_200, 266_610, id="LeNet-300-100"),
    pytest.param(lenet_5_caffe(), 2_293_000, 431_080, id="LeNet-5 Caffe"),
]


@pytest.mark.parametrize(("model", "macs", "parameters"), PUBLISHED)
def test_published_networks_come_out_to_the_digit(model: ModelProto, macs: int, parameters: int) -> None:
    totals = analyze(model, passes="cost").totals
    assert (totals.macs, totals.parameters) == (macs, parameters)
    assert totals.coverage is not None
    assert (totals.coverage.estimated, totals.coverage.unknown) == (0, 0)


@pytest.mark.parametrize(
    ("model", "buffers"),
    [
        # channels of its BatchNorms: 64, four stages of 3 + 4 + 6 + 3 blocks of 6 widths, four shortcuts
        pytest.param(
            resnet50(),
            2 * (64 + 6 * (3 * 64 + 4 * 128 + 6 * 256 + 3 * 512) + 4 * (64 + 128 + 256 + 512)),
            id="ResNet-50",
        ),
        pytest.param(vgg19(), 0, id="VGG-19"),
    ],
)
def test_running_statistics_are_buffers_not_parameters(model: ModelProto, buffers: int) -> None:
    assert analyze(model, passes="cost").totals.buffers == buffers


@pytest.mark.parametrize(("tokens", "macs"), [(128, 11_173_625_856), (512, 48_318_382_080)])
def test_bert_base_comes_out_at_any_length_from_one_graph(tokens: int, macs: int) -> None:
    totals = analyze(bert_base(), passes="cost", dims={"batch": 1, "sequence": tokens}).totals
    assert (totals.macs, totals.parameters) == (macs, 12 * (12 * 768**2 + 13 * 768))


def test_the_formula_of_bert_base_is_linear_in_its_layers_and_quadratic_in_attention() -> None:
    # a layer: 4 d^2 of projections and 8 d^2 of MLP a token, 2 d a pair of tokens
    assert (12 * 12 * 768**2, 12 * 2 * 768) == (84_934_656, 18_432)
    totals = analyze(bert_base(), passes="cost").totals
    assert totals.macs_formula == "18432*batch*sequence^2 + 84934656*batch*sequence"


@pytest.mark.parametrize(
    ("model", "flops"),
    [
        pytest.param(lenet_300_100(), 532_400, id="LeNet-300-100: 532 K"),
        pytest.param(lenet_5_caffe(), 4_586_000, id="LeNet-5 Caffe: 4,586 K"),
        # a product of n terms takes n - 1 additions; without a bias there is no n-th
        pytest.param(vgg19(), 2 * 19_632_062_464, id="VGG-19, a bias in every layer"),
        pytest.param(resnet50(), 2 * 4_089_184_256 - 11_113_984, id="ResNet-50, convolutions without bias"),
    ],
)
def test_flops_are_the_exact_multiplies_and_adds(model: ModelProto, flops: int) -> None:
    assert analyze(model, passes="cost").totals.flops == flops


def test_resnet50_convolutions_make_as_many_elements_as_its_flops_lack_additions() -> None:
    model = onnx.shape_inference.infer_shapes(resnet50())
    shapes = shapes_of(model.graph)
    assert (
        sum(prod(shapes[node.output[0]]) for node in model.graph.node if node.op_type == "Conv") == 11_113_984
    )


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(mlp(20, 128, 64, 10), id="Gemm"),
        pytest.param(mlp(20, 128, 64, 10, gemm=False), id="MatMul + Add"),
    ],
)
def test_a_dense_network_counts_the_same_however_written(model: ModelProto) -> None:
    totals = analyze(model, passes="cost").totals
    assert totals.parameters == (20 * 128 + 128) + (128 * 64 + 64) + (64 * 10 + 10) == 11_594
    assert totals.flops == 2 * (20 * 128 + 128 * 64 + 64 * 10) == 22_784
    assert totals.training_flops == 4 * 22_784 == 91_136


# onnx's light models

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MATRIX = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "RNN", "LSTM", "GRU"}
LIGHT_NAMES = sorted(path.stem for path in LIGHT.glob("light_*.onnx"))


@cache
def light(name: str) -> ModelProto:
    return onnx.shape_inference.infer_shapes(onnx.load(LIGHT / f"{name}.onnx"), data_prop=True)


def shapes_of(graph: GraphProto) -> dict[str, list[int]]:
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    return shapes | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def expected_macs(node: NodeProto, shapes: dict[str, list[int]]) -> int:
    """Every element that a Conv or Gemm makes is a sum over one filter or row."""
    if node.op_type == "Conv":
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    rows, _ = shapes[node.output[0]]
    return rows * prod(shapes[node.input[1]])


def weights(graph: GraphProto) -> dict[str, int]:
    """Elements of each weight: small ones are stored, large ones are made by ConstantOfShape."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    sizes = {name: array.size for name, array in stored.items() if array.dtype == np.float32}
    return sizes | {node.output[0]: int(prod(stored[node.input[0]])) for node in made}


def test_onnx_ships_nine_light_models() -> None:
    assert len(LIGHT_NAMES) == 9


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_macs_of_light_models_are_those_of_their_shapes(name: str) -> None:
    graph = light(name).graph
    matrix = {node.op_type for node in graph.node} & {
        "Conv",
        "Gemm",
        "MatMul",
        "ConvTranspose",
        "LSTM",
        "GRU",
    }
    assert matrix <= {"Conv", "Gemm"}
    shapes = shapes_of(graph)
    expected = sum(expected_macs(node, shapes) for node in graph.node if node.op_type in matrix)
    totals = analyze(LIGHT / f"{name}.onnx", passes="cost").totals
    assert totals.macs == expected > 0
    assert totals.coverage is not None
    assert totals.coverage.unknown == 0


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_parameters_of_light_models_are_their_weights_without_running_statistics(name: str) -> None:
    graph = light(name).graph
    sizes = weights(graph)
    statistics = {
        tensor for node in graph.node if node.op_type == "BatchNormalization" for tensor in node.input[3:5]
    }
    used = {tensor for node in graph.node for tensor in node.input}
    expected = sum(size for tensor, size in sizes.items() if tensor in used - statistics)
    totals = analyze(LIGHT / f"{name}.onnx", passes="cost").totals
    assert totals.parameters == expected > 0
    assert totals.buffers == sum(sizes[tensor] for tensor in statistics)


def test_light_resnet50_is_resnet50() -> None:
    totals = analyze(LIGHT / "light_resnet50.onnx", passes="cost").totals
    assert (totals.macs, totals.parameters) == (4_089_184_256, 25_557_032)


def test_light_densenet121_holds_a_scale_and_a_shift_more_than_torchvision_for_each_norm_channel() -> None:
    totals = analyze(LIGHT / "light_densenet121.onnx", passes="cost").totals
    assert (totals.macs, totals.buffers) == (2_834_161_664, 83_648)
    assert totals.parameters == 7_978_856 + 83_648
