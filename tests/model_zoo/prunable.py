"""Networks that know their own channel groups: the builder keeps a name for every channel of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper
from oracles.builder import Net


@dataclass(frozen=True)
class Flow:
    """A tensor, the names of its channels along ``axis``, and its other dims (batch is 2 and not counted)."""

    name: str
    ids: tuple[int, ...]
    axis: int
    hw: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        return len(self.ids)


class Channels:
    """Which channels must go together, and which must stay, as the builder of the network knows it."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._stay: set[int] = set()
        self.seen: list[Flow] = []

    def fresh(self, count: int) -> tuple[int, ...]:
        first = len(self._parent)
        self._parent += range(first, first + count)
        return tuple(range(first, first + count))

    def find(self, channel: int) -> int:
        while self._parent[channel] != channel:
            channel = self._parent[channel]
        return channel

    def tie(self, *channels: int) -> None:
        for channel in channels[1:]:
            self._parent[self.find(channel)] = self.find(channels[0])

    def tie_all(self, ones: Iterable[int], others: Iterable[int]) -> None:
        for one, other in zip(ones, others, strict=True):
            self.tie(one, other)

    def pin(self, channels: Iterable[int]) -> None:
        self._stay.update(channels)

    def see(self, flow: Flow) -> Flow:
        self.seen.append(flow)
        return flow

    def expected(self) -> list[tuple[Flow, list[int]]]:
        """By tensor, the class of each channel; -1 where it stays, also because nothing would be left of a tensor."""
        stay = {self.find(channel) for channel in self._stay}
        for flow in self.seen:
            roots = {self.find(channel) for channel in flow.ids}
            if len(roots) == 1:
                stay |= roots
        return [
            (flow, [-1 if self.find(channel) in stay else self.find(channel) for channel in flow.ids])
            for flow in self.seen
        ]


class PrunableNet(Net):
    """Weights are seeded normal numbers that keep activations near 1."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = np.random.default_rng(seed)
        self.channels = Channels()
        self.keeps_zeros = True

    def pick(self, *options: Any) -> Any:
        return options[int(self.random.integers(len(options)))]

    def weight(self, *shape: int, value: float = 0.01, name: str = "", fan: int = 1) -> str:
        del value
        numbers = self.random.normal(size=shape) / np.sqrt(fan)
        return self.constant(numbers.astype(np.float32), name=name or self.fresh("weight"))

    def positive(self, *shape: int) -> str:
        return self.constant(self.random.uniform(0.5, 1.5, shape).astype(np.float32))

    def floats(self, *values: float) -> str:
        return self.constant(values, np.float32)

    def flow(self, name: str, ids: Sequence[int], like: Flow, hw: tuple[int, ...] | None = None) -> Flow:
        return self.channels.see(Flow(name, tuple(ids), like.axis, like.hw if hw is None else hw))

    # Images

    def image(self, channels: int, size: int) -> Flow:
        ids = self.channels.fresh(channels)
        self.channels.pin(ids)
        return Flow(self.input("x", 2, channels, size, size), ids, 1, (size, size))

    def kernel(self, outputs: int, inputs: int, size: int) -> str:
        """Plain, or quantized with a scale for each output channel."""
        weight = self.random.normal(size=(outputs, inputs, size, size)) / np.sqrt(inputs * size * size)
        if self.random.random() > 0.15:
            return self.constant(weight.astype(np.float32))
        scale = np.maximum(np.abs(weight).max((1, 2, 3)) / 127, 1e-6)
        stored = np.round(weight / scale[:, None, None, None]).astype(np.int8)
        zero = self.constant(np.zeros(outputs, np.int8))
        return self.op(
            "DequantizeLinear", self.constant(stored), self.constant(scale.astype(np.float32)), zero, axis=0
        )

    def conv(  # type: ignore[override]  # a flow in place of a name
        self, x: Flow, outputs: int, size: int = 1, *, group: int = 1, ids: Sequence[int] | None = None
    ) -> Flow:
        """A convolution that keeps positions; its channels are new unless told."""
        inputs = [x.name, self.kernel(outputs, x.width // group, size)]
        if self.random.random() < 0.5:
            inputs.append(self.weight(outputs, fan=4))
        y = self.op("Conv", *inputs, group=group, pads=[size // 2] * 4)
        return self.flow(y, self.channels.fresh(outputs) if ids is None else ids, x)

    def norm(self, x: Flow) -> Flow:
        if self.random.random() < 0.4:
            return x
        shape, shift = self.positive(x.width), self.weight(x.width, fan=4)
        moments = (self.weight(x.width, fan=9), self.positive(x.width))
        return self.flow(self.op("BatchNormalization", x.name, shape, shift, *moments), x.ids, x)

    def active(self, x: Flow) -> Flow:
        kind = self.pick("Relu", "LeakyRelu", "Tanh", "Softplus", "PRelu", "Silu", "Clip", "")
        if not kind:
            return x
        self.keeps_zeros &= kind != "Softplus"
        if kind == "PRelu":
            y = self.op("PRelu", x.name, self.weight(x.width, 1, 1))
        elif kind == "Silu":
            y = self.op("Mul", x.name, self.op("Sigmoid", x.name))
        elif kind == "Clip":
            y = self.op("Clip", x.name, self.constant(-0.5, np.float32), self.constant(6.0, np.float32))
        else:
            y = self.op(kind, x.name)
        return self.flow(y, x.ids, x)

    def layer(self, x: Flow, outputs: int, size: int = 3) -> Flow:
        return self.active(self.norm(self.conv(x, outputs, size)))

    def add(self, x: Flow, y: Flow) -> Flow:
        self.channels.tie_all(x.ids, y.ids)
        pair = (x.name, y.name) if self.random.random() < 0.5 else (y.name, x.name)
        return self.flow(self.op("Add", *pair), x.ids, x)

    def concat(self, *flows: Flow) -> Flow:
        ids = [channel for flow in flows for channel in flow.ids]
        y = self.op("Concat", *(flow.name for flow in flows), axis=flows[0].axis)
        return self.flow(y, ids, flows[0])

    # Ends

    def output(self, x: Flow) -> str:
        self.channels.pin(x.ids)
        return x.name

    def head(self, x: Flow, inputs: int, classes: int = 5) -> str:
        """A dense layer on a matrix of ``inputs`` columns."""
        if self.random.random() < 0.5:
            y = self.op(
                "Gemm", x.name, self.weight(classes, inputs, fan=inputs), self.weight(classes), transB=1
            )
        else:
            y = self.op("MatMul", x.name, self.weight(inputs, classes, fan=inputs))
        return self.output(Flow(y, self.channels.fresh(classes), 1))

    def finished(self, output: str, *shape: int | str) -> ModelProto:
        made = self.model(output)
        made.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
        return made

    def sizes_of(self, x: str, *axes: int) -> list[str]:
        """Some lengths of a tensor, as exporters compute them."""
        shape = self.op("Shape", x)
        lengths = [self.op("Gather", shape, self.constant(axis, np.int64), axis=0) for axis in axes]
        return [self.op("Unsqueeze", length, self.ints(0)) for length in lengths]
