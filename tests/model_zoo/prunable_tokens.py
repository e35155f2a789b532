"""Token networks that know their own channel groups: projections, heads and attention as exporters write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.prunable import Flow, PrunableNet

VOCABULARY = 11
TOKENS = 5


@dataclass(frozen=True)
class Heads:
    """How many heads the queries have, how many the keys and values, and how wide those of both sides are."""

    count: int
    shared: int
    size: int
    value_size: int

    @property
    def repeats(self) -> int:
        return self.count // self.shared


class TokenNet(PrunableNet):
    """Tensors are batch × tokens × channels, or batch × heads × tokens × head size inside an attention.

    ``tokens`` is the number of tokens, None where the input has any number of them.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.tokens: int | None = self.pick(None, TOKENS)
        self.norm_kind: str = self.pick(
            "LayerNormalization", "layer", "RMSNormalization", "rms", "unit", "none"
        )

    def sizes(self, more: int = 0) -> dict[str, int]:
        """Lengths for the axes that may have any."""
        return {"batch": 2 + more} | ({} if self.tokens else {"tokens": TOKENS + more})

    def seen(self, name: str, ids: Sequence[int], axis: int = 2) -> Flow:
        return self.channels.see(Flow(name, tuple(ids), axis))

    # Layers

    def project(self, x: Flow, outputs: int, ids: Sequence[int] | None = None, kind: str = "") -> Flow:
        """A dense layer on every token: by rows, by columns that are transposed first, or on a matrix of tokens."""
        kind = kind or self.pick("rows", "rows", "columns", "matrix")
        if kind == "matrix":
            flat = self.op("Reshape", x.name, self.ints(-1, x.width))
            weight = self.weight(outputs, x.width, fan=x.width)
            y = self.op("Gemm", flat, weight, *self._bias(outputs), transB=1)
            y = self.op(
                "Reshape",
                y,
                self.op("Concat", *self.sizes_of(x.name, 0, 1), self.ints(self.pick(outputs, -1)), axis=0),
            )
        else:
            weight = self.weight(x.width, outputs, fan=x.width) if kind == "rows" else ""
            weight = weight or self.op("Transpose", self.weight(outputs, x.width, fan=x.width), perm=[1, 0])
            y = self.op("MatMul", x.name, weight)
            for bias in self._bias(outputs):
                y = self.op("Add", *self.pick((y, bias), (bias, y)))
        return self.seen(y, self.channels.fresh(outputs) if ids is None else ids)

    def added(self, x: Flow, y: Flow) -> Flow:
        """A block's result, projected to the stream and added to it."""
        y = self.project(y, x.width)
        self.channels.tie_all(x.ids, y.ids)
        return self.seen(self.op("Add", *self.pick((x.name, y.name), (y.name, x.name))), x.ids)

    def _bias(self, outputs: int) -> list[str]:
        return [self.weight(outputs, fan=4)] if self.pick(0, 1) else []

    def normed(self, x: Flow, kind: str = "") -> Flow:
        """Over the channels, whole or taken apart; where a mean is subtracted no channel may go."""
        kind = kind or self.norm_kind
        if kind == "none":
            return x
        if kind in {"LayerNormalization", "layer"}:
            self.channels.pin(x.ids)
        if kind == "unit":
            return self.seen(self.of_unit_length(x.name), x.ids)
        scale, shift = self.positive(x.width), self.weight(x.width, fan=9)
        if kind == "LayerNormalization":
            return self.seen(self.op(kind, x.name, scale, shift, axis=self.pick(-1, 2)), x.ids)
        if kind == "RMSNormalization":
            return self.seen(self.op(kind, x.name, scale, axis=-1, epsilon=1e-3), x.ids)
        centered = x.name
        if kind == "layer":
            centered = self.op("Sub", x.name, self.op("ReduceMean", x.name, self.ints(-1)))
        square = self.pick(
            lambda: self.op("Pow", centered, self.floats(2)), lambda: self.op("Mul", centered, centered)
        )()
        mean = self.op("Add", self.op("ReduceMean", square, self.ints(-1)), self.floats(1e-3))
        root = self.op("Sqrt", mean)
        y = (
            self.op("Div", centered, root)
            if self.pick(0, 1)
            else self.op("Mul", centered, self.op("Reciprocal", root))
        )
        y = self.op("Mul", y, scale)
        return self.seen(self.op("Add", y, shift) if kind == "layer" else y, x.ids)

    def of_unit_length(self, x: str) -> str:
        """Divided by the sum of squares or of absolute numbers, which zeros do not change."""
        if self.pick(0, 1):
            return self.op("LpNormalization", x, axis=-1, p=self.pick(1, 2))
        length = self.op(self.pick("ReduceL2", "ReduceL1"), x, self.ints(-1), keepdims=1)
        return self.op("Div", x, self.op("Max", length, self.floats(1e-6)))

    def active(self, x: Flow) -> Flow:
        kind = self.pick("Relu", "Gelu", "erf", "Silu", "Tanh", "Softplus")
        self.keeps_zeros &= kind != "Softplus"
        return self.seen(self.activated(x.name, kind), x.ids)

    def activated(self, x: str, kind: str) -> str:
        if kind == "Silu":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if kind == "erf":
            inner = self.op("Add", self.op("Erf", self.op("Div", x, self.floats(1.4142135))), self.floats(1))
            return self.op("Mul", self.op("Mul", x, inner), self.floats(0.5))
        return self.op(kind, x)

    # Heads

    def shaped(self, x: str, sizes_from: str, *last: int) -> str:
        """Batch × tokens × ``last``: sizes copied, left over, or computed as exporters do."""
        kind = self.pick("zeros", "rest", "computed", "computed rest")
        if kind == "zeros":
            sizes = self.ints(0, 0, *last)
        elif kind == "rest":
            sizes = self.ints(0, -1, *last)
        else:
            ends = [*last[:-1], -1] if kind == "computed rest" else last
            lengths = [self.ints(end) for end in ends]
            sizes = self.op("Concat", *self.sizes_of(sizes_from, 0, 1), *lengths, axis=0)
        return self.op("Reshape", x, sizes)

    def split(self, x: Flow, heads: int) -> Flow:
        """Batch × heads × tokens × size."""
        size = x.width // heads
        y = self.op("Transpose", self.shaped(x.name, x.name, heads, size), perm=[0, 2, 1, 3])
        return Flow(y, x.ids, 2)

    def joined(self, y: str, like: Flow, ids: Sequence[int]) -> Flow:
        """Batch × tokens × channels again."""
        return self.seen(self.shaped(self.op("Transpose", y, perm=[0, 2, 1, 3]), like.name, len(ids)), ids)

    def scores(self, query: str, key: str, size: int) -> str:
        """Products of queries and keys, of which the transposed one is written in several ways."""
        kind = self.pick("after", "query", "both", "flat")
        key = self._flat_transposed(key) if kind == "flat" else self.op("Transpose", key, perm=[0, 1, 3, 2])
        if kind == "query":
            query = self.op("Mul", query, self.floats(size**-0.5))
        elif kind == "both":
            root = self.floats(size**-0.25)
            query, key = self.op("Mul", query, root), self.op("Mul", key, root)
        y = self.op("MatMul", query, key)
        return self.op("Div", y, self.floats(size**0.5)) if kind in {"after", "flat"} else y

    def _flat_transposed(self, key: str) -> str:
        """As torch writes it: a matrix a head, transposed, and cut into heads again by the key's own sizes."""
        shape = self.op("Shape", key)
        *outer, tokens, size = [self.op("Slice", shape, self.ints(at), self.ints(at + 1)) for at in range(4)]
        flat = self.op("Reshape", key, self.op("Concat", self.ints(-1), tokens, size, axis=0))
        flat = self.op("Transpose", flat, perm=[0, 2, 1])
        return self.op("Reshape", flat, self.op("Concat", *outer, size, tokens, axis=0))

    def mixed(self, scores: str, value: str) -> str:
        return self.op("MatMul", self.op("Softmax", scores, axis=-1), value)

    # What goes together

    def tie_heads(self, q: Flow, k: Flow, v: Flow, heads: Heads, *, whole: bool) -> tuple[int, ...]:
        """Heads go whole, or the same numbers of every head; gives the channels of the attention's output.

        All queries that share keys and values go with them; where there is one key and value for all, it stays, and
        every head of queries goes by itself.
        """
        queries = np.reshape(q.ids, (heads.shared, heads.repeats, heads.size))
        keys = np.reshape(k.ids, (heads.shared, heads.size))
        values = np.reshape(v.ids, (heads.shared, heads.value_size))
        if whole and heads.shared == 1:
            self.channels.pin((*k.ids, *v.ids))
            return self._own(queries[0], heads.value_size)
        if whole:
            for place in range(heads.shared):
                together = (queries[place].reshape(-1), keys[place], values[place])
                self.channels.tie(*np.concatenate(together).tolist())
        else:
            for place in range(heads.size):
                self.channels.tie(*queries[..., place].reshape(-1).tolist(), *keys[:, place].tolist())
            for place in range(heads.value_size):
                self.channels.tie(*values[:, place].tolist())
        return tuple(np.repeat(values, heads.repeats, 0).reshape(-1).tolist())

    def _own(self, queries: NDArray[np.int64], size: int) -> tuple[int, ...]:
        """Channels that each head of queries has of the values that all share."""
        for head in queries.tolist():
            self.channels.tie(*head)
        return tuple(head[0] for head in queries.tolist() for _ in range(size))
