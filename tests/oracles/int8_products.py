"""Small int8 models whose products saturate in 16 bits, and what they give in exact integers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper, parser

Array = NDArray[Any]

ROWS, DEPTH, OUT = 4, 64, 8
_STEP = np.float32(20000)


@dataclass(frozen=True, slots=True)
class Int8Model:
    """``exact`` is the output for ``x``, in int64 until the last rounding."""

    proto: ModelProto
    x: Array
    exact: Array
    weights: Array


def _model(body: str, x: Array, y: Array, stored: Mapping[str, Array]) -> ModelProto:
    kinds = {"uint8": "uint8", "int8": "int8", "int32": "int32", "float32": "float"}
    declared = [f"{kinds[each.dtype.name]}[{','.join(map(str, each.shape))}]" for each in (x, y)]
    proto: ModelProto = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'
        f" saturating ({declared[0]} x) => ({declared[1]} y) {{ {body} }}"
    )
    proto.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in stored.items())
    return proto


def weights_of(seed: int = 0, least: int = 100) -> Array:
    """Numbers in int8 from ``least`` to 127, most of them positive, so that pairs of products reach 64,770."""
    random = np.random.default_rng(seed)
    signs = np.where(random.random((DEPTH, OUT)) < 0.2, -1, 1)
    found: Array = (random.integers(least, 128, (DEPTH, OUT)) * signs).astype(np.int8)
    return found


def _quantized(sums: Array) -> Array:
    found: Array = np.clip(np.rint(sums.astype(np.float32) / _STEP) + 128, 0, 255).astype(np.uint8)
    return found


BODIES = {
    "MatMulInteger": "y = MatMulInteger(x, w)",
    "QLinearMatMul": "y = QLinearMatMul(x, one, zero, w, one, wzero, step, middle)",
    "QLinearConv": "y = QLinearConv(x, one, zero, w, one, wzero, step, middle)",
    "QGemm": "y = com.microsoft.QGemm (x, one, zero, w, one, wzero)",
    "MatMulIntegerToFloat": "y = com.microsoft.MatMulIntegerToFloat (x, w, one, one, zero, wzero)",
    "MatMulIntegerToFloat, a scale for each column": "y = com.microsoft.MatMulIntegerToFloat (x, w, one, ones)",
    "DynamicQuantizeMatMul, a scale for each column": "y = com.microsoft.DynamicQuantizeMatMul (x, w, ones)",
    "MatMulInteger, weights computed": "v = Transpose(tall) y = MatMulInteger(x, v)",
    "DynamicQuantizeMatMul": "y = com.microsoft.DynamicQuantizeMatMul (x, w, one, wzero)",
    "DequantizeLinear": """a = DequantizeLinear(x, one, zero)  b = DequantizeLinear(w, one, wzero)
        c = MatMul(a, b)  y = QuantizeLinear(c, step, middle)""",
}
"""Ways to write the same product, by the operator that multiplies."""


def int8_model(kind: str, seed: int = 0, least: int = 100) -> Int8Model:
    """One product of uint8 from 200 to 255 and int8."""
    weights = weights_of(seed, least)
    x: Array = np.random.default_rng(seed + 1).integers(200, 256, (ROWS, DEPTH)).astype(np.uint8)
    x[0, :2] = 0, 255  # what DynamicQuantizeLinear needs to leave these numbers as they are
    sums: Array = x.astype(np.int64) @ weights.astype(np.int64)
    operator = kind.partition(",")[0]
    exact = {
        "MatMulInteger": sums.astype(np.int32),
        "QGemm": sums.astype(np.float32),
        "MatMulIntegerToFloat": sums.astype(np.float32),
        "DynamicQuantizeMatMul": sums.astype(np.float32),
    }.get(operator, _quantized(sums))
    fed, stored = x, weights
    if kind == "QLinearConv":  # one place of an image with as many channels
        fed, exact = x.reshape(ROWS, DEPTH, 1, 1), exact.reshape(ROWS, OUT, 1, 1)
        stored = weights.T.reshape(OUT, DEPTH, 1, 1).copy()
    if operator == "DynamicQuantizeMatMul":
        fed = x.astype(np.float32)
    constants: dict[str, Array] = {
        "w": stored,
        "tall": weights.T.copy(),
        "one": np.array(1, np.float32),
        "ones": np.ones(OUT, np.float32),
        "step": np.array(_STEP, np.float32),
        "zero": np.array(0, np.uint8),
        "wzero": np.array(0, np.int8),
        "middle": np.array(128, np.uint8),
    }
    body = BODIES[kind]
    return Int8Model(
        _model(
            body,
            fed,
            exact,
            {name: values for name, values in constants.items() if re.search(rf"\b{name}\b", body)},
        ),
        fed,
        exact,
        weights,
    )
