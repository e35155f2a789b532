"""Constants in their stored form."""

from __future__ import annotations

import numpy as np
import pytest

from nnea_graph.graph.dtypes import BY_NAME, decode
from nnea_graph.runtime.export.initializers import encode

NUMBERS = [name for name in BY_NAME if name not in {"string", "float8e8m0"}]


@pytest.mark.parametrize("name", NUMBERS)
def test_decoded_numbers_encode_to_the_same_bytes(name: str) -> None:
    dtype, size = BY_NAME[name], 24
    numbers = np.arange(size) % 2 if dtype.kind in {"bool", "uint"} else np.arange(size) % 3 - 1
    stored = encode(numbers, dtype)
    assert len(stored) == dtype.nbytes(size)
    decoded = decode(stored, dtype, 0, size)
    np.testing.assert_array_equal(decoded.astype(np.float64 if dtype.kind != "complex" else complex), numbers)
    assert encode(decoded, dtype) == stored


@pytest.mark.parametrize(
    ("name", "numbers", "stored"),
    [
        pytest.param("int4", [1, -1, 7], b"\xf1\x07", id="int4, first element in the low bits"),
        pytest.param("uint2", [1, 2, 3, 0, 1], b"\x39\x01", id="uint2, four a byte"),
        pytest.param("bfloat16", [1.0, -2.0], b"\x80\x3f\x00\xc0", id="bfloat16"),
        pytest.param("float4e2m1", [0.5, 6.0], b"\x71", id="float4"),
        pytest.param("bool", [True, False], b"\x01\x00", id="bool"),
    ],
)
def test_stored_bytes_by_hand(name: str, numbers: list[float], stored: bytes) -> None:
    assert encode(np.array(numbers), BY_NAME[name]) == stored
