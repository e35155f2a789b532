"""Latencies side by side."""

from __future__ import annotations

import time

from nnea_graph.runtime.session.latency import interleaved


def test_the_slower_one_is_slower_by_its_ratio() -> None:
    order: list[str] = []

    def work(name: str, seconds: float) -> None:
        order.append(name)
        time.sleep(seconds)

    found = interleaved({"a": lambda: work("a", 0.01), "b": lambda: work("b", 0.03)}, rounds=5)
    assert order == [*"ab", *"abbaabbaab"]
    assert found["a"].ratio == found["a"].low == found["a"].high == 1
    assert 2 < found["b"].low <= found["b"].ratio <= found["b"].high < 4
    assert found["b"].least <= found["b"].median
