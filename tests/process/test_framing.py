"""What crosses between processes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from nnea_graph.errors import RunError
from nnea_graph.process.framing import packed, receive, send, unpacked

ARRAYS: dict[str, Any] = {
    "a/../b\0": np.arange(6, dtype=np.int64).reshape(2, 3),
    "scalar": np.array(1.5, np.float16),
    "empty": np.zeros((0, 4), np.bool_),
    "text": np.array(["één", ""], object),
}


def test_arrays_of_any_name_cross_unchanged() -> None:
    found = unpacked(packed(ARRAYS))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tolist() == array.tolist()


@pytest.mark.parametrize("value", [[1, 2], np.zeros(2, "V4"), np.array(["a"], "S1")])
def test_what_is_neither_numbers_nor_text_does_not_cross(value: Any) -> None:
    with pytest.raises(RunError, match=r"'x' holds .*cannot be handed"):
        packed({"x": value})


def test_a_frame_is_all_its_parts() -> None:
    pipe = io.BytesIO()
    send(pipe, b"one", bytearray(b""), np.arange(2, dtype=np.int16).data)
    pipe.seek(0)
    assert receive(pipe, 100) == b"one\0\0\1\0"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello, world, hello", "was expected"),
        (b"nnea\0run" + b"\xff" * 8, "was expected"),
        (b"nn", "no more"),
    ],
    ids=["no-frame", "too-long", "cut"],
)
def test_what_is_no_frame_is_not_taken_for_one(content: bytes, said: str) -> None:
    with pytest.raises(ConnectionError, match=said):
        receive(io.BytesIO(content), 1000)
