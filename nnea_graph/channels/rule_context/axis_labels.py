"""Letters: axes of operands and output named as in an einsum, and channels led through products by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nnea_graph.channels.graph import ChannelTensor, Floats
from nnea_graph.channels.rule_context.join_shares import JoinShare
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.strength import StrengthBlock, magnitudes
from nnea_graph.ops.call import BadCallError, UnknownFactError

Letters = tuple[str, ...]
"""The name of each axis."""

FULL_LIMIT = 1 << 26
"""Strengths of a layer that has to be written out whole because its groups are not side by side."""


@dataclass(frozen=True, slots=True)
class Product:
    """Two operands (inputs ``left`` and ``right``) and an output, each with a letter an axis."""

    left: int
    right: int
    left_letters: Letters
    right_letters: Letters
    out_letters: Letters

    def letters(self, index: int) -> Letters:
        """Those of an operand."""
        return self.left_letters if index == self.left else self.right_letters


def batched(left: Sequence[int | None], right: Sequence[int | None]) -> tuple[Letters, Letters, Letters]:
    """Letters of numpy's matmul of two shapes: batch axes broadcast, vectors lose their axis."""
    rows, columns = ("m",) if len(left) > 1 else (), ("n",) if len(right) > 1 else ()
    first, second = left[:-2], right[:-2]
    depth = max(len(first), len(second))
    out = tuple(str(place) for place in range(-depth, 0))
    return (
        (*_batch(first, second), *rows, "k"),
        (*_batch(second, first), "k", *columns),
        (*out, *rows, *columns),
    )


def _batch(mine: Sequence[int | None], others: Sequence[int | None]) -> Letters:
    """The output's letters, but for axes of 1 that the other operand widens."""
    letters = []
    for place in range(-len(mine), 0):
        widened = mine[place] == 1 and -place <= len(others) and others[place] != 1
        letters.append(f"{place}x" if widened else str(place))
    return tuple(letters)


def real_letters(tensor: ChannelTensor, letters: Letters) -> Letters:
    """The letters of the axes that tell channels apart."""
    if max(tensor.real, default=-1) >= len(letters):
        raise BadCallError(f"'{tensor.name}' has more dims than the operator takes")
    return tuple(letters[axis] for axis in tensor.real)


def carry_letters(site: OpContext, index: int, letters: Letters, out: Letters, mark: str = "") -> None:
    """Lead the channels of an operand to where their letters are in the output."""
    source = site.channels(index)
    if source is None:
        return
    mine = real_letters(source, letters)
    if any(letter not in out for letter in mine):
        raise UnknownFactError("sums over channels")
    axes = sorted(out.index(letter) for letter in mine)
    dims = dict(zip(mine, (dim for dim in source.dims if dim != 1), strict=True))
    numbers = np.arange(source.count).reshape([dims[letter] for letter in mine])
    order = [mine.index(out[axis]) for axis in axes]
    target = site.target(0, axes, [dims[out[axis]] for axis in axes])
    site.lead(target, [JoinShare(source, numbers.transpose(order).reshape(-1))], mark)


def lead_weights(site: OpContext, product: Product, data: int, weight: int, reader: ConstantView) -> None:
    """Lead channels through a product with a constant operand.

    Letters of the data that are summed against the weight are the layer's input channels, those that only the
    weight has its output channels; channels along other axes stay apart, as groups.
    """
    letters, own, out = product.letters(data), product.letters(weight), product.out_letters
    summed = tuple(axis for axis, letter in enumerate(letters) if letter in own and letter not in out)
    if not summed:
        site.demand(data, (), dense=False)
        carry_letters(site, data, letters, out)
        return
    source = site.demand(data, summed)
    if source is None:
        return
    mine = real_letters(source, letters)
    if mine and not any(axis in summed for axis in source.real):
        site.apart("its weights run along positions, not along channels")
        carry_letters(site, data, letters, out, "weights along positions: channels kept apart")
        return
    plan = _Plan(source, letters, own, out, reader)
    target = site.target(0, plan.axes, plan.target_dims)
    wanted = source.real if plan.kept else summed
    site.lead_dense(target, [site.dense(target, source, wanted, plan.block())])


class _Plan:
    """Plan by which a weight with letters makes a block of strengths."""

    def __init__(
        self, source: ChannelTensor, letters: Letters, own: Letters, out: Letters, reader: ConstantView
    ) -> None:
        self.source, self.letters, self.own, self.reader = source, letters, own, reader
        sizes = dict(zip(own, reader.shape, strict=True))
        sizes |= {letters[axis]: dim for axis, dim in zip(source.axes, source.dims, strict=True) if dim != 1}
        mine = real_letters(source, letters)
        self.kept = tuple(letter for letter in mine if letter in out)
        self.summed = tuple(letter for letter in letters if letter in own and letter not in out)
        self.new = tuple(letter for letter in out if letter in own and letter not in letters)
        self.axes = tuple(place for place, letter in enumerate(out) if letter in self.kept + self.new)
        self.targets = tuple(out[place] for place in self.axes)
        self.target_dims = tuple(sizes[letter] for letter in self.targets)
        self.sizes = sizes
        # With channels beside the summed ones, sources are (kept, summed) letters in the data's order.
        self.sources = mine if self.kept else self.summed
        if self.kept and any(letter not in self.kept + self.summed for letter in mine):
            raise UnknownFactError("sums over channels that its weights do not see")

    def block(self) -> StrengthBlock:
        """Grouped where the groups lie side by side, else written out whole."""
        sources = prod(self.sizes[letter] for letter in self.sources)
        targets = prod(self.target_dims)
        groups = prod(self.sizes[letter] for letter in self.kept)
        lead = len(self.kept)
        if self.targets[:lead] == self.kept == self.sources[:lead]:
            return StrengthBlock(groups, targets, sources, self._grouped)
        if sources * targets > FULL_LIMIT:
            raise UnknownFactError(f"{sources} x {targets} strengths whose groups are not side by side")
        return StrengthBlock(1, targets, sources, self._full)

    def _array(self, targets: Letters) -> Floats:
        """|w| by (kept, targets, summed): other letters of the weight are summed, kept ones it lacks repeated."""
        weights = magnitudes(self.reader.array())
        sources = tuple(letter for letter in self.sources if letter not in self.kept)
        wished = (*self.kept, *targets, *sources)
        extra = tuple(axis for axis, letter in enumerate(self.own) if letter not in wished)
        held = [letter for letter in self.own if letter in wished]
        reduced = weights.sum(extra, dtype=np.float64) if extra else weights
        ordered = reduced.transpose([held.index(letter) for letter in wished if letter in held])
        shape = [self.sizes[letter] if letter in held else 1 for letter in wished]
        whole = np.broadcast_to(ordered.reshape(shape), [self.sizes[letter] for letter in wished])
        count = len(self.kept)
        parts = (wished[:count], wished[count : count + len(targets)], wished[count + len(targets) :])
        return whole.reshape([prod(self.sizes[letter] for letter in part) for part in parts])

    def _grouped(self) -> Floats:
        return self._array(tuple(letter for letter in self.targets if letter not in self.kept))

    def _full(self) -> Floats:
        """(1, targets, sources) with zeros between the groups, in the order of the axes."""
        block = self._array(self.new)
        groups, new, summed = block.shape
        full = np.zeros((groups, new, groups, summed), block.dtype)
        every = np.arange(groups)
        full[every, :, every, :] = block
        rest = tuple(letter for letter in self.sources if letter not in self.kept)
        rows, columns = (*self.kept, *self.new), (*self.kept, *rest)
        full = full.reshape([self.sizes[letter] for letter in rows + columns])
        order = [rows.index(letter) for letter in self.targets]
        order += [len(rows) + columns.index(letter) for letter in self.sources]
        return full.transpose(order).reshape(1, prod(self.target_dims), -1)
