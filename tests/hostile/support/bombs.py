"""Operators whose outputs no machine can hold, with the constants that say so."""

from __future__ import annotations

import numpy as np
from hostile.support.models import ints, op, tensor
from onnx import NodeProto, TensorProto

HUGE = 1 << 62
LONG = [1 << 20, 1 << 20]
BOMBS: dict[str, tuple[list[NodeProto], list[TensorProto]]] = {
    "constant-of-shape": (
        [op("ConstantOfShape", ["s"], ["w"], name="bomb"), op("Relu", ["w"], ["y"])],
        [ints("s", *LONG)],
    ),
    "constant-of-shape-2-to-62": ([op("ConstantOfShape", ["s"], ["y"], name="bomb")], [ints("s", HUGE)]),
    "constant-of-shape-as-weight": (
        [op("ConstantOfShape", ["s"], ["w"], name="bomb"), op("MatMul", ["x", "w"], ["y"])],
        [ints("s", 4, 1 << 40)],
    ),
    "constant-of-shape-transposed": (
        [
            op("ConstantOfShape", ["s"], ["w"], name="bomb"),
            op("Transpose", ["w"], ["t"]),
            op("MatMul", ["x", "t"], ["y"]),
        ],
        [ints("s", 1 << 40, 4)],
    ),
    "expand": ([op("Expand", ["x", "s"], ["y"], name="bomb")], [ints("s", *LONG, 1, 4)]),
    "expand-constant": (
        [op("Expand", ["one", "s"], ["y"], name="bomb")],
        [tensor("one", 1.0), ints("s", *LONG)],
    ),
    "tile": ([op("Tile", ["x", "s"], ["y"], name="bomb")], [ints("s", *LONG)]),
    "tile-constant": (
        [op("Tile", ["one", "s"], ["y"], name="bomb")],
        [tensor("one", [[1.0]]), ints("s", *LONG)],
    ),
    "tile-chain": (
        [op("Tile", [f"t{n}" if n else "one", "s"], [f"t{n + 1}"], name=f"tile{n}") for n in range(6)]
        + [op("Relu", ["t6"], ["y"], name="bomb")],
        [tensor("one", [1.0]), ints("s", 1000)],
    ),
    "tile-chain-as-weight": (
        [op("Tile", [f"t{n}" if n else "one", "s"], [f"t{n + 1}"], name=f"tile{n}") for n in range(4)]
        + [op("MatMul", ["x", "t4"], ["y"], name="bomb")],
        [tensor("one", [[1.0]] * 4), ints("s", 1, 1000)],
    ),
    "concat-doubling": (
        [
            op("Concat", [f"c{n}" if n else "one"] * 2, [f"c{n + 1}"], axis=0, name=f"cat{n}")
            for n in range(50)
        ]
        + [op("Relu", ["c50"], ["y"], name="bomb")],
        [tensor("one", [1.0])],
    ),
    "range": (
        [op("Range", ["zero", "end", "step"], ["y"], name="bomb")],
        [tensor("zero", 0, np.int64), tensor("end", HUGE, np.int64), tensor("step", 1, np.int64)],
    ),
    "range-of-floats": (
        [op("Range", ["zero", "end", "step"], ["y"], name="bomb")],
        [tensor("zero", 0), tensor("end", 1e30), tensor("step", 1e-30)],
    ),
    "range-step-0": (
        [op("Range", ["zero", "end", "zero"], ["y"], name="bomb")],
        [tensor("zero", 0, np.int64), tensor("end", 5, np.int64)],
    ),
    "range-nan": (
        [op("Range", ["zero", "end", "step"], ["y"], name="bomb")],
        [tensor("zero", 0), tensor("end", np.nan), tensor("step", 1)],
    ),
    "pad": ([op("Pad", ["x", "s"], ["y"], name="bomb")], [ints("s", 1 << 40, 1 << 20, 0, 0)]),
    "resize": ([op("Resize", ["x", "", "f"], ["y"], name="bomb")], [tensor("f", [1e5, 1e5])]),
    "resize-infinite": ([op("Resize", ["x", "", "f"], ["y"], name="bomb")], [tensor("f", [np.inf, np.nan])]),
    "resize-huge": ([op("Resize", ["x", "", "f"], ["y"], name="bomb")], [tensor("f", [1e30, 1e30])]),
    "one-hot": (
        [op("OneHot", ["i", "d", "v"], ["y"], name="bomb")],
        [ints("i", 1, 2), tensor("d", 1 << 40, np.int64), tensor("v", [0, 1])],
    ),
    "outer-product": (
        [
            op("Reshape", ["w", "s"], ["c"]),
            op("Reshape", ["w", "t"], ["r"]),
            op("MatMul", ["c", "r"], ["y"], name="bomb"),
        ],
        [tensor("w", np.ones(60_000)), ints("s", -1, 1), ints("t", 1, -1)],
    ),
    "einsum": (
        [
            op(
                "Einsum",
                ["x"] * 26,
                ["y"],
                equation=",".join(
                    f"{a}{b}"
                    for a, b in zip("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=True)
                )
                + "->",
                name="bomb",
            )
        ],
        [],
    ),
    "einsum-10-to-10": (
        [op("Einsum", ["w", "w"], ["y"], equation="a,b->ab", name="bomb")],
        [tensor("w", np.ones(100_000))],
    ),
    "gather-huge": ([op("Gather", ["x", "i"], ["y"], axis=1, name="bomb")], [ints("i", HUGE, -HUGE)]),
    "unsqueeze-to-rank-70": ([op("Unsqueeze", ["x", "a"], ["y"], name="bomb")], [ints("a", *range(2, 70))]),
    "eye-like": (
        [op("ConstantOfShape", ["s"], ["w"]), op("EyeLike", ["w"], ["y"], name="bomb")],
        [ints("s", *LONG)],
    ),
    "non-zero": (
        [op("ConstantOfShape", ["s"], ["w"]), op("NonZero", ["w"], ["y"], name="bomb")],
        [ints("s", *LONG)],
    ),
    "trilu": (
        [op("ConstantOfShape", ["s"], ["w"]), op("Trilu", ["w"], ["y"], name="bomb")],
        [ints("s", 1 << 16, 1 << 16)],
    ),
    "cumsum": (
        [op("ConstantOfShape", ["s"], ["w"]), op("CumSum", ["w", "a"], ["y"], name="bomb")],
        [ints("s", 1 << 32), tensor("a", 0, np.int64)],
    ),
    "broadcast-add": (
        [op("Reshape", ["w", "s"], ["c"]), op("Add", ["c", "w"], ["y"], name="bomb")],
        [tensor("w", np.ones(60_000)), ints("s", -1, 1)],
    ),
    "pow-of-integers": ([op("Pow", ["n", "n"], ["y"], name="bomb")], [tensor("n", HUGE, np.int64)]),
    "division-by-0": (
        [op("Div", ["n", "z"], ["q"], name="bomb"), op("Reshape", ["x", "q"], ["y"])],
        [ints("n", 4), ints("z", 0)],
    ),
    "mod-by-0": ([op("Mod", ["n", "z"], ["y"], name="bomb")], [ints("n", 4), ints("z", 0)]),
    "bit-shift": (
        [op("BitShift", ["n", "n"], ["y"], direction="LEFT", name="bomb")],
        [tensor("n", [1 << 63], np.uint64)],
    ),
    "slice-huge": (
        [op("Slice", ["x", "a", "b", "c", "d"], ["y"], name="bomb")],
        [ints("a", -HUGE), ints("b", HUGE), ints("c", 0), ints("d", (1 << 63) - 1)],
    ),
    "split-huge": ([op("Split", ["x"], ["y", "z"], axis=1, num_outputs=2, name="bomb")], []),
    "col2im": ([op("Col2Im", ["x", "a", "b"], ["y"], name="bomb")], [ints("a", HUGE, HUGE), ints("b", 1, 1)]),
    "blackman": ([op("BlackmanWindow", ["n"], ["y"], name="bomb")], [tensor("n", HUGE, np.int64)]),
    "mel": (
        [op("MelWeightMatrix", ["n", "n", "n", "f", "f"], ["y"], name="bomb")],
        [tensor("n", 1 << 40, np.int64), tensor("f", 1.0)],
    ),
    "random": ([op("RandomNormal", [], ["y"], shape=LONG, name="bomb")], []),
    "multinomial": ([op("Multinomial", ["x"], ["y"], sample_size=HUGE, name="bomb")], []),
    "dft": ([op("DFT", ["x", "n"], ["y"], name="bomb")], [tensor("n", HUGE, np.int64)]),
}
