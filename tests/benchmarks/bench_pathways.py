"""Prints time and memory of the path search on a channel graph of ResNet-50's shape, and growth with K and edges.

Strengths are summed from weights of real size at every reading, so reading them counts.

Run by hand: PYTHONPATH=tests python tests/benchmarks/bench_pathways.py [ROUNDS [FOLDER]].
Growth is plotted into the folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import get_args

import numpy as np
from benchmarks.growth_plot import Curve, write_plot

from nnea_graph.channels.graph import Carry, ChannelGraph, ChannelTensor, DenseLink, Floats, Link
from nnea_graph.channels.paths.endpoints import choose_ends
from nnea_graph.channels.paths.forward_pass import forward
from nnea_graph.channels.paths.search import best_paths, pathways
from nnea_graph.channels.paths.shares import Score

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))


class Builder:
    """ResNet-50 as channels: convolutions dense, batch norm and ReLU carried one to one, additions joined."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._rng = np.random.default_rng(0)
        self._number = count()
        self.counts = {"image": 3}
        self.links: list[Link] = []

    def conv(self, source: str, targets: int, kernel: int = 1) -> str:
        n, taps = self.counts[source], kernel * kernel
        weights = self._rng.standard_normal((1, targets, n, taps), np.float32)
        activation = np.exp(self._rng.standard_normal(n, np.float32))
        made = self._tensor(targets)
        edges = DenseLink(1, lambda: np.abs(weights).sum(3) * activation)  # read at each call, as from a file
        self.links.append(Link(source, made, made, edges))
        return made

    def carry(self, source: str) -> str:
        made = self._tensor(self.counts[source])
        self.links.append(Link(source, made, made, Carry(np.arange(self.counts[source]))))
        return made

    def add(self, one: str, other: str) -> str:
        made = self._tensor(self.counts[one])
        share = self._rng.random(self.counts[one])
        for source, gain in ((one, share), (other, 1 - share)):
            self.links.append(Link(source, made, made, Carry(np.arange(gain.size)), gain))
        return made

    def block(self, source: str, width: int, *, first: bool) -> str:
        at = self.relu(self.conv(source, width))
        at = self.relu(self.conv(at, width, 3))
        at = self.carry(self.conv(at, 4 * width))
        skip = self.carry(self.conv(source, 4 * width)) if first else source
        return self.carry(self.add(at, skip))

    def relu(self, source: str) -> str:
        return self.carry(self.carry(source))

    def graph(self) -> ChannelGraph:
        at = self.carry(self.relu(self.conv("image", self._wide(64), 7)))
        for blocks, width in STAGES:
            for place in range(blocks):
                at = self.block(at, self._wide(width), first=place == 0)
        sink = self.conv(self.carry(at), 1000)
        into: dict[str, tuple[Link, ...]] = {}
        for link in self.links:
            into[link.target] = (*into.get(link.target, ()), link)
        tensors = {name: ChannelTensor(name, (1,), (size,)) for name, size in self.counts.items()}
        return ChannelGraph(tensors, into, tuple(self.counts), ("image",), (sink,))

    def _wide(self, width: int) -> int:
        return max(1, round(width * self._width))

    def _tensor(self, channels: int) -> str:
        name = f"t{next(self._number)}"
        self.counts[name] = channels
        return name


def strengths(graph: ChannelGraph) -> int:
    found: list[Floats] = [
        link.edges.strength()
        for links in graph.into.values()
        for link in links
        if isinstance(link.edges, DenseLink)
    ]
    return sum(each.size for each in found)


def best_of(rounds: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def status_mib(field: str) -> float:
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(field))
    return int(line.split()[1]) / 1024


def whole_pass(graph: ChannelGraph, score: Score, k: int) -> None:
    ends = choose_ends(graph)
    pathways(graph, forward(graph, score, ends.sources), ends, score, k)


def print_whole(graph: ChannelGraph, rounds: int) -> None:
    print(f"{strengths(graph):,} strengths, {len(graph.order)} tensors")
    for k in (100, 1000):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        held = status_mib("VmRSS")
        seconds = best_of(rounds, partial(whole_pass, graph, "flow", k))
        peak = status_mib("VmHWM") - held
        print(f"whole pass, K = {k:5}: {seconds:6.2f} s, peak {peak:4.0f} MiB beyond the graph's {held:.0f}")


def print_growth_with_k(graph: ChannelGraph, score: Score, rounds: int) -> Curve:
    curve = []
    every, one = choose_ends(graph), choose_ends(graph, sink_channel=3)
    reached = forward(graph, score, every.sources)
    for k in (10, 30, 100, 300, 1000, 3000, 10_000):
        some, single = (
            best_of(rounds, partial(best_paths, graph, reached, ends, score, k)) for ends in (every, one)
        )
        print(f"search, {score:10}, K = {k:6}: all classes {some:6.3f} s, one class {single:6.3f} s")
        curve.append((k, some))
    return curve


def print_growth_with_edges(width: float, rounds: int) -> tuple[int, float, float]:
    graph = Builder(width).graph()
    ends = choose_ends(graph)
    reached = forward(graph, "flow", ends.sources)
    sweep = best_of(rounds, partial(forward, graph, "flow", ends.sources))
    search = best_of(rounds, partial(best_paths, graph, reached, ends, "flow", 100))
    edges = strengths(graph)
    print(f"width x {width:4}: {edges:11,} edges: forward {sweep:6.3f} s, search {search:6.3f} s")
    return edges, sweep, search


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    graph = Builder(1.0).graph()
    print_whole(graph, rounds)
    by_k = {score: print_growth_with_k(graph, score, rounds) for score in get_args(Score)}
    by_edges = [print_growth_with_edges(width, rounds) for width in (0.25, 0.5, 1.0, 2.0)]
    if len(sys.argv) > 2:
        folder = Path(sys.argv[2])
        write_plot(folder / "growth_with_k.svg", "Search of the K best paths, ResNet-50", "K", by_k)
        curves = {
            "forward sweep": [(edges, sweep) for edges, sweep, _ in by_edges],
            "search, K = 100": [(edges, search) for edges, _, search in by_edges],
        }
        write_plot(folder / "growth_with_edges.svg", "Growth with the network", "edges", curves)


if __name__ == "__main__":
    main()
