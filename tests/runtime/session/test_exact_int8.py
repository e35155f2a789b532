"""Int8 products are those of integers on every CPU, whatever its kernels do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from oracles.int8_products import BODIES, int8_model

from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.session import FLOAT_QDQ, Settings, session_of, session_options

pytestmark = pytest.mark.cpu


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", BODIES)
def test_a_session_multiplies_int8_exactly(kind: str, seed: int) -> None:
    model = int8_model(kind, seed)
    (found,) = session_of(Written(model.proto)).run({"x": model.x})
    np.testing.assert_array_equal(found, model.exact)


def test_times_are_of_the_kernels_that_users_get() -> None:
    assert session_options(Settings()).get_session_config_entry(FLOAT_QDQ) == "1"
    with pytest.raises(RuntimeError, match="does not have"):
        session_options(Settings(native=True)).get_session_config_entry(FLOAT_QDQ)


@pytest.mark.parametrize("columns", [(), (48,)], ids=["one scale", "a scale for each column"])
@pytest.mark.parametrize("zero", [True, False])
def test_fused_attention_on_int8_is_attention_on_what_the_numbers_stand_for(
    columns: tuple[int, ...],
    zero: bool,  # noqa: FBT001 - a case
) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (1, 5, 16)).astype(np.uint8)
    stored = random.integers(-127, 128, (16, 48)).astype(np.int8)
    scales = random.uniform(0.005, 0.01, columns).astype(np.float32)
    named: dict[str, NDArray[Any]] = {
        "w": stored,
        "b": random.normal(size=48).astype(np.float32),
        "xs": np.array(0.05, np.float32),
        "ws": scales,
        "xz": np.array(128, np.uint8),
        "wz": np.zeros(columns, np.int8),
        "floats": (stored * scales).astype(np.float32),
    }
    inputs = ["x", "w", "b", "xs", "ws", "", "xz", *(["wz"] if zero else [])]
    whole = _attention("QAttention", inputs, x, named)
    (wanted,) = session_of(_attention("Attention", ["x", "floats", "b"], x.astype(np.float32), named)).run(
        {"x": (x.astype(np.float32) - 128) * np.float32(0.05)}
    )
    (found,) = session_of(whole).run({"x": x})
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())


def _attention(kind: str, inputs: list[str], x: NDArray[Any], named: Mapping[str, NDArray[Any]]) -> Written:
    node = helper.make_node(kind, inputs, ["y"], domain="com.microsoft", num_heads=2)
    graph = helper.make_graph(
        [node],
        "attention",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", 1, x.shape)],
        [numpy_helper.from_array(values, name) for name, values in named.items() if name in inputs],
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return Written(helper.make_model(graph, opset_imports=domains, ir_version=8))
