"""Matrix products: with weights a layer, of two computed tensors attention."""

from __future__ import annotations

from dataclasses import replace

from nnea_graph.channels.rule_context.axis_labels import Letters, Product, batched, lead_weights
from nnea_graph.channels.rule_context.computed_products import mix
from nnea_graph.channels.rule_context.model_view import ConstantView
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.registry import CHANNEL_RULES, ChannelRule, channels
from nnea_graph.channels.rules.convolution import add_links
from nnea_graph.ops.registry import MICROSOFT


def multiplied(site: OpContext, product: Product) -> None:
    """Multiplies by weights where one operand is constant, else as attention."""
    for data, weight in ((product.left, product.right), (product.right, product.left)):
        reader = site.reader(weight)
        if reader is not None and reader.shape and site.reader(data) is None:
            lead_weights(site, _fitting(product, weight, reader), data, weight, reader)
            return
    mix(site, product)


def _fitting(product: Product, weight: int, reader: ConstantView) -> Product:
    """Letters for the axes that the weight has as the operator sees it."""
    letters = product.letters(weight)
    own = letters[len(letters) - len(reader.shape) :]
    if weight == product.left:
        return replace(product, left_letters=own)
    return replace(product, right_letters=own)


def matmul(left: int, right: int) -> ChannelRule:
    """Follows numpy's matmul."""

    def rule(site: OpContext) -> None:
        first, second, out = batched(site.dims(left), site.dims(right))
        multiplied(site, Product(left, right, first, second, out))

    return rule


def unpacked(site: OpContext) -> None:
    """A weight that the operator unpacks to (K, N)."""
    reader = site.reader(1)
    if reader is None:
        site.end_all("its weights are computed by the model")
        return
    first, second, out = batched(site.dims(0), reader.shape)
    lead_weights(site, Product(0, 1, first, second, out), 0, 1, reader)


CHANNEL_RULES.add(matmul(0, 1), "MatMul", "MatMulInteger")
CHANNEL_RULES.add(matmul(0, 3), "QLinearMatMul")
CHANNEL_RULES.add(
    matmul(0, 1), "DynamicQuantizeMatMul", "GemmFastGelu", "MatMulIntegerToFloat", domain=MICROSOFT
)
CHANNEL_RULES.add(unpacked, "MatMulBnb4", "MatMulNBits", "MatMulFpQ4", domain=MICROSOFT)


def gemm(left: int, right: int) -> ChannelRule:
    """A B with either transposed, and an addend that is not a path where it is a constant."""

    def rule(site: OpContext) -> None:
        first = ("k", "m") if site.call.attr("transA", 0) else ("m", "k")
        second = ("n", "k") if site.call.attr("transB", 0) else ("k", "n")
        multiplied(site, Product(left, right, first, second, ("m", "n")))
        if left == 0 and right == 1:
            add_links(site, 2)

    return rule


CHANNEL_RULES.add(gemm(0, 1), "Gemm")
CHANNEL_RULES.add(gemm(0, 1), "FusedGemm", domain=MICROSOFT)
CHANNEL_RULES.add(gemm(0, 3), "QGemm", domain=MICROSOFT)


@channels("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_matmul(site: OpContext) -> None:
    """MatMul with either operand's last two axes swapped."""
    if site.call.attr("transBatchA", 0) or site.call.attr("transBatchB", 0):
        site.end_all("its batch axes are moved")
        return
    first, second, out = batched(site.dims(0), site.dims(1))
    first = _swapped(first) if site.call.attr("transA", 0) else first
    second = _swapped(second) if site.call.attr("transB", 0) else second
    multiplied(site, Product(0, 1, first, second, out))


def _swapped(letters: Letters) -> Letters:
    return (*letters[:-2], letters[-1], letters[-2])
