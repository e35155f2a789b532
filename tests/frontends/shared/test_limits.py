"""Limits from the command line."""

from __future__ import annotations

import re

import pytest

from nnea_graph.errors import UsageError
from nnea_graph.frontends.shared.limits import Limits


def test_each_limit_is_set_by_its_name() -> None:
    texts = [f"{name}=7" for name, _ in Limits().items()]
    assert {value for _, value in Limits.with_text(texts).items()} == {7}


def test_limits_that_are_not_named_keep_their_default() -> None:
    assert Limits.with_text(["nodes=1_000"]) == Limits(nodes=1000)
    assert Limits.with_text([]) == Limits()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("noodles=3", "no such limit; there are file_bytes, message_bytes", id="unknown-name"),
        pytest.param("nodes", "write it as nodes=NUMBER", id="no-number"),
        pytest.param("nodes=", "write it as nodes=NUMBER", id="empty"),
        pytest.param("nodes=-1", "write it as nodes=NUMBER", id="negative"),
        pytest.param("nodes=1e3", "write it as nodes=NUMBER", id="float"),
        pytest.param("nodes=٣", "write it as nodes=NUMBER", id="other-digits"),
        pytest.param("nodes=" + "9" * 5000, "write it as nodes=NUMBER", id="huge"),
        pytest.param("nodes=0", "must be 1 or more", id="zero"),
        pytest.param("rank=65", "must be 1 to 64", id="over-numpy"),
        pytest.param("nesting=101", "must be 1 to 100", id="over-protobuf"),
        pytest.param("nodes=_", "write it as nodes=NUMBER", id="only-underscores"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        Limits.with_text([text])
