"""What the report of a pruning says: each layer's refit, and what the smaller model is worth, measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnea_graph.report.doc import doc


@dataclass(frozen=True, slots=True)
class RefitLayer:
    """A layer that reads pruned channels, or something computed of them."""

    node: str = field(metadata=doc("id of the operator"))
    op_type: str = field(metadata=doc("its type"))
    refitted: bool = field(metadata=doc("whether its weights were solved again"))
    target: str = field(
        metadata=doc("tensor in which it was compared with the original, empty where it was not")
    )
    at_sum: bool = field(
        metadata=doc("whether that is a sum with another branch, whose error it makes up for")
    )
    ridge: float | None = field(
        metadata=doc(
            "how much it was held to its weights, by the mean of the Gram matrix's diagonal; null where only the"
            " bias was changed, or nothing"
        )
    )
    before: float | None = field(
        metadata=doc(
            "error on held-out rows with the weights as they were, relative to the original's output (L2)"
        )
    )
    after: float | None = field(metadata=doc("the same with the new weights, fitted without these rows"))
    rows: int = field(metadata=doc("rows of data that it was solved on"))
    reason: str = field(metadata=doc("why it was left as it is, or empty"))
