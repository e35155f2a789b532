"""Strings out of untrusted files."""

from __future__ import annotations

import pytest
from onnx import NodeProto

from nnea_graph.errors import LimitError, ModelError
from nnea_graph.frontends.protobuf.strings import shown, text


def test_valid_text_is_returned_unchanged() -> None:
    assert text("größe/層", "the name of node 3") == "größe/層"


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc3"], ids=["noise", "surrogate", "cut-off"]
)
def test_a_name_that_is_not_utf8_is_an_error_that_says_whose(raw: bytes) -> None:
    node = NodeProto.FromString(b"\x1a" + bytes([len(raw)]) + raw)
    with pytest.raises(ModelError, match="the name of node 3 is not valid UTF-8"):
        text(node.name, "the name of node 3")


def test_a_name_over_the_limit_is_an_error_that_says_so() -> None:
    assert len(text("x" * 65_536, "a name")) == 65_536
    with pytest.raises(LimitError, match="longer than 65,536 characters"):
        text("x" * 65_537, "a name")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param("conv1", "'conv1'", id="plain"),
        pytest.param("a\nb\x1b[31m", r"'a\nb\x1b[31m'", id="newline-and-ansi"),
        pytest.param("\u202eabc", r"'\u202eabc'", id="direction-mark"),
        pytest.param("\0", r"'\x00'", id="nul"),
        pytest.param("x" * 200, "'" + "x" * 80 + "'…", id="long"),
        pytest.param(b"\xff", r"b'\xff'", id="bytes"),
    ],
)
def test_a_shown_name_is_one_harmless_line(value: str | bytes, line: str) -> None:
    assert shown(value) == line
