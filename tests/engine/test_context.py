"""What a run gives to its passes."""

from __future__ import annotations

import time
from dataclasses import fields

import pytest

from nnea_graph.engine import RunContext
from nnea_graph.engine.pipeline import READERS, type_name
from nnea_graph.passes import catalogue


def test_without_a_deadline_a_pass_takes_its_own_time() -> None:
    assert RunContext().seconds(60.0) == 60.0


def test_a_near_deadline_leaves_less_and_never_nothing() -> None:
    assert 4 < RunContext(deadline=time.monotonic() + 5).seconds(60.0) <= 5
    assert RunContext(deadline=time.monotonic() + 500).seconds(60.0) == 60.0
    assert 0 < RunContext(deadline=time.monotonic() - 5).seconds(60.0) < 0.01


@pytest.mark.parametrize("name", catalogue())
def test_every_field_of_a_pass_is_an_option_that_text_can_give(name: str) -> None:
    assert {type_name(field) for field in fields(catalogue()[name]())} <= READERS.keys()
