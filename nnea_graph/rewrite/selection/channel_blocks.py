"""Multiples to which multiples channels are kept: what onnxruntime gains by them on this machine, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from nnea_graph.errors import UsageError
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.latency import interleaved
from nnea_graph.runtime.session.session import Settings, session_of

STEPS = (16, 8)
CONVOLUTION, DENSE = "convolution", "dense"
_KIND = {"Conv": CONVOLUTION, "ConvTranspose": CONVOLUTION, "FusedConv": CONVOLUTION}
_BASE = 64
_JUMP = 0.8
"""The share of a block's time that half a block takes already, above which there are blocks."""
_REPEATS, _ROUNDS = 8, 12


def kind_of(op_types: Iterable[str]) -> str:
    """Layers that make or read the channels: a convolution among them decides."""
    return CONVOLUTION if any(name in _KIND for name in op_types) else DENSE


def steps_of(text: str, kinds: Iterable[str]) -> Mapping[str, int]:
    """Number whose multiples are kept, by kind of layer; ``auto`` measures it.

    Raises:
        UsageError: the text is neither auto nor a number.
    """
    wanted = sorted(set(kinds))
    if text == "auto":
        return {kind: measured_step(kind) for kind in wanted}
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise UsageError(f"--align '{text}': auto, or a number such as 1, 8, 16")
    return dict.fromkeys(wanted, int(text))


def measured_step(kind: str) -> int:
    """The largest block that the runtime works in: half a block more takes as long as a whole one."""
    counts = sorted({_BASE} | {_BASE + step for step in STEPS} | {_BASE + step // 2 for step in STEPS})
    found = interleaved({str(count): _work(kind, count) for count in counts}, _ROUNDS)
    seconds = {count: found[str(count)].least for count in counts}
    for step in STEPS:
        whole = seconds[_BASE + step] - seconds[_BASE]
        half = seconds[_BASE + step // 2] - seconds[_BASE]
        if whole > 0.05 * seconds[_BASE] and half > _JUMP * whole:
            return step
    return 1


def _work(kind: str, count: int) -> Callable[[], object]:
    model, shape = (
        (_convolutions(count), (1, 32, 14, 14)) if kind == CONVOLUTION else (_products(count), (32, 512))
    )
    session = session_of(Written(model), Settings(threads=1, native=True))
    feeds = {"x": np.random.default_rng(0).standard_normal(shape, np.float32)}

    def work() -> None:
        for _ in range(_REPEATS):
            session.run(feeds)

    return work


def _convolutions(count: int) -> ModelProto:
    """Reorders to so many channels and back."""
    return _pair("Conv", (count, 32, 3, 3), (32, count, 3, 3), (1, 32, 14, 14), pads=[1, 1, 1, 1])


def _products(count: int) -> ModelProto:
    return _pair("Gemm", (512, count), (count, 512), (32, 512))


def _pair(
    op_type: str, first: tuple[int, ...], second: tuple[int, ...], data: tuple[int, ...], **attributes: Any
) -> ModelProto:
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal(shape, np.float32), name)
        for name, shape in (("a", first), ("b", second))
    ]
    nodes = [
        helper.make_node(op_type, ["x", "a"], ["y"], **attributes),
        helper.make_node("Relu", ["y"], ["z"]),
        helper.make_node(op_type, ["z", "b"], ["o"], **attributes),
    ]
    graph = helper.make_graph(
        nodes,
        "pair",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, data)],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
