"""Products of two computed tensors: attention, followed along the values."""

from __future__ import annotations

from nnea_graph.channels.rule_context.axis_labels import Product, carry_letters, real_letters
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.channels.rule_context.operand_rank import OperandRank

VALUES = "attention: followed the values"
QUERY_KEY = "query-key"
COMPUTED = "its weights are computed by the model"
BILINEAR = "product: followed the second operand"


def _weighed(site: OpContext, product: Product, staying: list[int]) -> bool:
    """Tells whether a softmax weighs the only operand whose channels stay apart."""
    others = {product.left, product.right} - set(staying)
    return len(others) == 1 and site.standing(others.pop()) is OperandRank.GATE


def mix(site: OpContext, product: Product) -> None:
    """Follow the operand whose channels stay apart; of two such, the one that no gate made, else the second.

    Where both operands have their channels summed, as queries and keys, both end.
    """
    found = site.followed(product.left, product.right)
    staying = [
        index
        for index, tensor in found.items()
        if all(letter in product.out_letters for letter in real_letters(tensor, product.letters(index)))
    ]
    if site.draft.scouting and not _weighed(site, product, staying):
        # Heads of queries and keys stay apart as well; only values lead to the next layer.
        return
    if not staying:
        site.end_all(QUERY_KEY if len(found) == 2 else COMPUTED)
        return
    value = max(staying, key=lambda index: (site.standing(index), index))
    others = [site.standing(index) for index in staying if index != value]
    mark = BILINEAR if others == [site.standing(value)] else VALUES
    carry_letters(site, value, product.letters(value), product.out_letters, mark)
