"""Every form that onnxruntime's quantizer gives a model has the model's own parameters and MACs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from oracles.builder import Net

from nnea_graph import analyze

quantization = pytest.importorskip("onnxruntime.quantization")

INT8 = quantization.QuantType.QInt8
UINT8 = quantization.QuantType.QUInt8
RNG = np.random.default_rng(0)


def values(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32) / 4


def cnn() -> tuple[Net, str]:
    net = Net()
    x = net.op("Conv", net.input("x", 1, 3, 8, 8), net.constant(values(8, 3, 3, 3)), net.constant(values(8)))
    x = net.op("Relu", x)
    deep = net.op("Conv", x, net.constant(values(8, 1, 3, 3)), group=8, pads=[1, 1, 1, 1])
    flat = net.op("Flatten", net.op("MaxPool", net.op("Add", deep, x), kernel_shape=[2, 2], strides=[2, 2]))
    return net, net.op("Gemm", flat, net.constant(values(10, 72)), net.constant(values(10)), transB=1)


def mlp() -> tuple[Net, str]:
    net = Net()
    x = net.op(
        "Gemm", net.input("x", 1, 32), net.constant(values(64, 32)), net.constant(values(64)), transB=1
    )
    return net, net.op("Softmax", net.op("Gemm", net.op("Relu", x), net.constant(values(64, 10))))


def attention() -> tuple[Net, str]:
    net = Net()
    x = net.input("x", 1, 6, 32)
    q, k, v = (
        net.op("Add", net.op("MatMul", x, net.constant(values(32, 32))), net.constant(values(32)))
        for _ in "qkv"
    )
    scores = net.op("Softmax", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 2, 1])))
    return net, net.op("MatMul", net.op("MatMul", scores, v), net.constant(values(32, 32)))


def lstm() -> tuple[Net, str]:
    net = Net()
    weights = [
        net.constant(values(1, 128, 16)),
        net.constant(values(1, 128, 32)),
        net.constant(values(1, 256)),
    ]
    y = net.ops("LSTM", net.input("x", 5, 1, 16), *weights, count=1, hidden_size=32)[0]
    return net, net.op("MatMul", y, net.constant(values(32, 4)))


# Parameters and MACs by hand.
NETS = {
    "cnn": (cnn, (1, 3, 8, 8), 216 + 8 + 72 + 730, 36 * 216 + 36 * 72 + 720),
    "mlp": (mlp, (1, 32), 2048 + 64 + 640, 2048 + 640),
    "attention": (attention, (1, 6, 32), 4 * 1024 + 3 * 32, 4 * 6 * 1024 + 2 * 6 * 6 * 32),
    "lstm": (lstm, (5, 1, 16), 128 * (16 + 32) + 256 + 128, 5 * (128 * (16 + 32) + 128)),
}


class Samples(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined] # onnxruntime has no types
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.left: Iterator[dict[str, Any]] = iter([{"x": values(*shape)} for _ in range(2)])

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)


def saved(name: str, folder: Path) -> Path:
    net, output = NETS[name][0]()
    onnx.save(net.model(output, opset=21), folder / "float.onnx")
    return folder / "float.onnx"


def check(path: Path, name: str) -> None:
    totals = analyze(path, passes="cost", may_run=False).totals
    assert (totals.parameters, totals.macs) == NETS[name][2:]
    assert totals.cost_status == "exact"


TYPES = {"u8s8": (UINT8, INT8), "s8s8": (INT8, INT8), "u8u8": (UINT8, UINT8)}
WIDE = {"u16s16": ("QUInt16", "QInt16"), "s8s4": ("QInt8", "QInt4")}


@pytest.mark.parametrize("name", NETS)
def test_the_float_model_counts_as_by_hand(name: str, tmp_path: Path) -> None:
    check(saved(name, tmp_path), name)


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("form", ["QOperator", "QDQ"])
@pytest.mark.parametrize("name", NETS)
def test_static_quantization_keeps_the_counts(
    name: str, form: str, types: str, *, per_channel: bool, symmetric: bool, tmp_path: Path
) -> None:
    quantize(name, form, TYPES[types], per_channel=per_channel, symmetric=symmetric, folder=tmp_path)
    check(tmp_path / "q.onnx", name)


@pytest.mark.parametrize("types", WIDE)
@pytest.mark.parametrize("name", NETS)
def test_int16_and_int4_keep_the_counts(name: str, types: str, tmp_path: Path) -> None:
    chosen = tuple(getattr(quantization.QuantType, each) for each in WIDE[types])
    quantize(name, "QDQ", chosen, per_channel=False, symmetric=True, folder=tmp_path)
    check(tmp_path / "q.onnx", name)


@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("name", NETS)
def test_dynamic_quantization_keeps_the_counts(name: str, *, per_channel: bool, tmp_path: Path) -> None:
    quantization.quantize_dynamic(saved(name, tmp_path), tmp_path / "q.onnx", per_channel=per_channel)
    check(tmp_path / "q.onnx", name)


@pytest.mark.parametrize("name", ["mlp", "attention", "lstm"])
def test_matmuls_of_4_bits_keep_the_counts(name: str, tmp_path: Path) -> None:
    nbits = pytest.importorskip("onnxruntime.quantization.matmul_nbits_quantizer")
    quantizer = nbits.MatMulNBitsQuantizer(onnx.load(saved(name, tmp_path)), block_size=16, is_symmetric=True)
    quantizer.process()
    quantizer.model.save_model_to_file(str(tmp_path / "q.onnx"))
    check(tmp_path / "q.onnx", name)


@pytest.mark.parametrize("name", NETS)
def test_float16_keeps_the_counts(name: str, tmp_path: Path) -> None:
    float16 = pytest.importorskip("onnxruntime.transformers.float16")
    onnx.save(float16.convert_float_to_float16(onnx.load(saved(name, tmp_path))), tmp_path / "q.onnx")
    check(tmp_path / "q.onnx", name)


def quantize(
    name: str, form: str, types: tuple[Any, ...], *, per_channel: bool, symmetric: bool, folder: Path
) -> None:
    quantization.quantize_static(
        saved(name, folder),
        folder / "q.onnx",
        Samples(NETS[name][1]),
        quant_format=getattr(quantization.QuantFormat, form),
        per_channel=per_channel,
        activation_type=types[0],
        weight_type=types[1],
        extra_options={"WeightSymmetric": symmetric},
    )
