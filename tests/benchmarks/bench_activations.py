"""Prints what observing activations costs beside a plain run of the same model in onnxruntime.

Run by hand: python tests/benchmarks/bench_activations.py [--memory]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nnea_graph.frontends.onnx.graph import load_onnx
from nnea_graph.graph import ModelGraph
from nnea_graph.runtime.observe.collect import TypesAt, collect
from nnea_graph.runtime.observe.observations import Kind, Observation
from nnea_graph.runtime.observe.observing_session import Observer
from nnea_graph.runtime.session.latency import interleaved
from nnea_graph.runtime.session.session import Settings
from nnea_graph.static.dims import Dims
from nnea_graph.static.propagation import infer

BATCH, THREADS, ROUNDS = 4, 2, 15
LIMITS = {"resnet50": {Kind.MEAN: 1.3, Kind.ALL: 1.8}, "mobilenet_v3": {Kind.MEAN: 2.2, Kind.ALL: 3.0}}
MEMORY_LIMIT = 1.6
PASSED_BY = {"BatchNormalization", "Relu", "HardSwish", "HardSigmoid"}
WEIGHTED = {"Conv", "Gemm"}

# Kernel, expanded and outgoing channels, squeeze-excitation, activation, stride (Howard 2019, table 1).
MOBILENET = [
    (3, 16, 16, False, "Relu", 1),
    (3, 64, 24, False, "Relu", 2),
    (3, 72, 24, False, "Relu", 1),
    (5, 72, 40, True, "Relu", 2),
    (5, 120, 40, True, "Relu", 1),
    (5, 120, 40, True, "Relu", 1),
    (3, 240, 80, False, "HardSwish", 2),
    (3, 200, 80, False, "HardSwish", 1),
    (3, 184, 80, False, "HardSwish", 1),
    (3, 184, 80, False, "HardSwish", 1),
    (3, 480, 112, True, "HardSwish", 1),
    (3, 672, 112, True, "HardSwish", 1),
    (5, 672, 160, True, "HardSwish", 2),
    (5, 960, 160, True, "HardSwish", 1),
    (5, 960, 160, True, "HardSwish", 1),
]
RESNET = [(64, 256, 3, 1), (128, 512, 4, 2), (256, 1024, 6, 2), (512, 2048, 3, 2)]


class Network:
    """Grows a model with random weights of the usual size."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"{op_type}_{name}", **attributes))
        return name

    def weight(self, *shape: int, scale: float = 1.0, shift: float = 0.0) -> str:
        name = f"w{len(self.weights)}"
        values = self.rng.standard_normal(shape) * scale + shift
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(  # noqa: PLR0917 - in the order in which papers list them
        self, x: str, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> str:
        fan = before // groups * kernel**2
        weight = self.weight(after, before // groups, kernel, kernel, scale=(2 / fan) ** 0.5)
        pads = [kernel // 2] * 4
        return self.op("Conv", x, weight, pads=pads, strides=[stride] * 2, group=groups)

    def norm(self, x: str, channels: int, scale: float = 1.0) -> str:
        parts = [self.weight(channels, scale=0.1, shift=shift) for shift in (scale, 0.0, 0.0)]
        variance = self.weight(channels, scale=0.0, shift=1.0)
        return self.op("BatchNormalization", x, *parts, variance)

    def dense(self, x: str, before: int, after: int) -> str:
        weight = self.weight(after, before, scale=before**-0.5)
        return self.op("Gemm", x, weight, self.weight(after, scale=0.1), transB=1)

    def save(self, path: Path, output: str) -> None:
        pixels = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 224, 224])
        scores = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 1000])
        graph = helper.make_graph(self.nodes, "network", [pixels], [scores], self.weights)
        opsets = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def resnet50(path: Path) -> None:
    """ResNet-50 with its normalizations as operators of their own."""
    net = Network()
    x = net.op("Relu", net.norm(net.conv("x", 3, 64, 7, 2), 64))
    x, channels = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 64
    for width, after, blocks, first_stride in RESNET:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            shortcut = x if block else net.norm(net.conv(x, channels, after, 1, stride), after)
            y = net.op("Relu", net.norm(net.conv(x, channels, width, 1), width))
            y = net.op("Relu", net.norm(net.conv(y, width, width, 3, stride), width))
            y = net.norm(net.conv(y, width, after, 1), after, scale=0.2)
            x, channels = net.op("Relu", net.op("Add", y, shortcut)), after
    pooled = net.op("Flatten", net.op("GlobalAveragePool", x))
    net.save(path, net.dense(pooled, channels, 1000))


def mobilenet_v3(path: Path) -> None:
    """MobileNetV3-Large, its normalizations folded into the convolutions."""
    net = Network()
    x, channels = net.op("HardSwish", net.conv("x", 3, 16, 3, 2)), 16
    for kernel, wide, after, squeeze, activation, stride in MOBILENET:
        y = x if wide == channels else net.op(activation, net.conv(x, channels, wide, 1))
        y = net.op(activation, net.conv(y, wide, wide, kernel, stride, wide))
        y = excited(net, y, wide) if squeeze else y
        y = net.conv(y, wide, after, 1)
        x, channels = net.op("Add", x, y) if stride == 1 and channels == after else y, after
    x = net.op("HardSwish", net.conv(x, channels, 960, 1))
    x = net.op("HardSwish", net.dense(net.op("Flatten", net.op("GlobalAveragePool", x)), 960, 1280))
    net.save(path, net.dense(x, 1280, 1000))


def excited(net: Network, x: str, channels: int) -> str:
    middle = (channels // 4 + 7) // 8 * 8
    gate = net.op("Relu", net.conv(net.op("GlobalAveragePool", x), channels, middle, 1))
    gate = net.op("HardSigmoid", net.conv(gate, middle, channels, 1), alpha=1 / 6, beta=0.5)
    return net.op("Mul", x, gate)


def observed(graph: ModelGraph, kind: Kind) -> list[Observation]:
    """What enters each weighted operator, and what leaves it after normalization and activation."""
    tensors: dict[str, None] = {}
    for node in graph:
        if node.op_type in WEIGHTED:
            tensors[node.inputs[0]] = None
            tensors[_after_activation(graph, node.outputs[0])] = None
    return [Observation(tensor, 1, kind) for tensor in tensors]


def _after_activation(graph: ModelGraph, tensor: str) -> str:
    readers = graph.consumers(tensor)
    while len(readers) == 1 and readers[0].op_type in PASSED_BY:
        tensor = readers[0].outputs[0]
        readers = graph.consumers(tensor)
    return tensor


def types_at(graph: ModelGraph) -> TypesAt:
    return lambda inputs: infer(graph, Dims({}, (), inputs, inputs)).types


def pixels(samples: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    rng = np.random.default_rng(1)
    for _ in range(samples // BATCH):
        yield {"x": rng.standard_normal((BATCH, 3, 224, 224), np.float32)}


def plain_session(path: Path) -> Any:
    import onnxruntime  # noqa: PLC0415 - not for the processes whose memory is measured without it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def time_ratios(name: str, path: Path) -> None:
    graph, feeds = load_onnx(path), next(pixels(BATCH))
    session = plain_session(path)
    works: dict[str, Any] = {"plain": lambda: session.run(None, feeds)}
    for kind in (Kind.MEAN, Kind.ALL):
        found = observed(graph, kind)
        types = infer(graph, at(graph, feeds)).types
        observer = Observer(graph, found, types, Settings(threads=THREADS))
        works[kind] = lambda observer=observer, types=types: observer.run(feeds, types)
    for what, latency in interleaved(works, ROUNDS).items():
        limit = LIMITS[name].get(Kind(what)) if what != "plain" else None
        print(
            f"{name:14}{what:8}{latency.least * 1e3:9.1f} ms  ratio {latency.ratio:.2f}"
            f" [{latency.low:.2f}, {latency.high:.2f}]" + (f"  limit {limit}" if limit else "")
        )


def at(graph: ModelGraph, feeds: dict[str, NDArray[np.float32]]) -> Dims:
    inputs = {name: type(graph.tensors[name])(graph.tensors[name].dtype, feeds[name].shape) for name in feeds}
    return Dims({}, (), inputs, inputs)


def peak_of(path: Path, what: str, samples: int) -> int:
    """Peak resident memory, in MiB, of a process that does nothing else."""
    command = [sys.executable, __file__, "--child", str(path), what, str(samples)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def child(path: Path, what: str, samples: int) -> None:
    if what == "plain":
        session = plain_session(path)
        for feeds in pixels(samples):
            session.run(None, feeds)
    else:
        graph = load_onnx(path)
        found = observed(graph, Kind(what))
        collect(graph, found, pixels(samples), types_at(graph), settings=Settings(threads=THREADS))
    # Not getrusage: its maximum is inherited from the parent.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.split("VmHWM:")[1].split()[0]) // 1024)


def memory_ratios(name: str, path: Path) -> None:
    for samples in (16, 1024):
        plain = peak_of(path, "plain", samples)
        for kind in (Kind.MEAN, Kind.ALL):
            peak = peak_of(path, kind, samples)
            ratio = f"ratio {peak / plain:.2f}  limit {MEMORY_LIMIT}"
            print(f"{name:14}{kind:8}{samples:6} samples {peak:6} MiB, plain {plain:6} MiB  {ratio}")


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for build in (resnet50, mobilenet_v3):
            path = Path(folder) / f"{build.__name__}.onnx"
            build(path)
            time_ratios(build.__name__, path)
            if "--memory" in sys.argv:
                memory_ratios(build.__name__, path)


if __name__ == "__main__":
    main()
