"""Matrix products: what is summed over goes on both sides, rows and columns go with the result."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.op_context import (
    COUPLING_RULES,
    CouplingContext,
    CouplingRule,
    NotFollowedError,
    coupling,
)


def product(left: int = 0, right: int = 1, *per_column: int) -> CouplingRule:
    """Batched product of inputs ``left`` and ``right``; ``per_column`` have one number a column, or one in all."""

    def rule(site: CouplingContext) -> None:
        multiply(site, site.name(left), site.name(right), transposed=(False, False))
        for index in per_column:
            if site.name(index) and site.rank(site.name(index)):
                site.same(site.name(index), -1, site.out(), -1)

    return rule


def multiply(site: CouplingContext, a: str, b: str, transposed: tuple[bool, bool]) -> None:
    """The axes of ``a`` and ``b`` with each other and with the output."""
    y = site.out()
    row, inner = (-1, -2) if transposed[0] else (-2, -1)
    other, column = (-1, -2) if transposed[1] else (-2, -1)
    vector, flat = site.rank(a) == 1, site.rank(b) == 1
    site.same(a, -1 if vector else inner, b, -1 if flat else other)
    if not vector:
        site.same(a, row, y, -1 if flat else -2)
    if not flat:
        site.same(b, column, y, -1)
    lost = vector + flat
    for tensor in (a, b):
        for axis in range(site.rank(tensor) - 2):
            site.same(tensor, axis, y, axis - site.rank(tensor) + lost)


COUPLING_RULES.add(product(), "MatMul")
COUPLING_RULES.add(product(0, 1, 3), "MatMulInteger")
COUPLING_RULES.add(product(0, 3, 4, 5), "QLinearMatMul")
COUPLING_RULES.add(product(0, 1, 2, 3, 4), "DynamicQuantizeMatMul", domain=MICROSOFT)
COUPLING_RULES.add(product(0, 1, 3, 5, 6), "MatMulIntegerToFloat", domain=MICROSOFT)


def gemm(left: int = 0, right: int = 1, *added: int) -> CouplingRule:
    """A matrix product of two matrices, either transposed; ``added`` are broadcast to the result."""

    def rule(site: CouplingContext) -> None:
        flags = (bool(site.call.attr("transA", 0)), bool(site.call.attr("transB", 0)))
        multiply(site, site.name(left), site.name(right), flags)
        for index in added:
            site.broadcast(site.name(index), site.out())

    return rule


COUPLING_RULES.add(gemm(0, 1, 2), "Gemm")
COUPLING_RULES.add(gemm(0, 1, 2), "FusedGemm", domain=MICROSOFT)
COUPLING_RULES.add(gemm(0, 3, 4, 5, 6), "QGemm", domain=MICROSOFT)


@coupling("FusedMatMul", domain=MICROSOFT)
def fused_matmul(site: CouplingContext) -> None:
    """A batched product with transposed matrices; batches that are transposed too are not followed."""
    if site.call.attr("transBatchA", 0) or site.call.attr("transBatchB", 0):
        raise NotFollowedError("FusedMatMul: transposed batches are not followed")
    flags = (bool(site.call.attr("transA", 0)), bool(site.call.attr("transB", 0)))
    multiply(site, site.name(0), site.name(1), flags)


@coupling("Einsum")
def einsum(site: CouplingContext) -> None:
    """Axes of the same letter go together."""
    equation = site.call.attr("equation", "")
    text = (equation.decode() if isinstance(equation, bytes) else str(equation)).replace(" ", "")
    if "." in text:
        raise NotFollowedError("Einsum: an ellipsis is not followed")
    terms, _, result = text.partition("->")
    sides = list(zip(terms.split(","), site.node.inputs, strict=True))
    result = result if "->" in text else "".join(sorted(c for c in set(terms) - {","} if terms.count(c) == 1))
    first: dict[str, tuple[str, int]] = {}
    for letters, tensor in [*sides, (result, site.out())]:
        for axis, letter in enumerate(letters):
            site.draft.same(first.setdefault(letter, (tensor, axis)), (tensor, axis))
