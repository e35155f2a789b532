"""Report of a pruned model: how each layer was refitted, and what the result is worth, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc

FASTER, SLOWER, NOT_CLEAR = "faster", "slower", "not clear"
"""What the interval of a ratio of latencies says."""


@dataclass(frozen=True, slots=True)
class RefitLayer:
    """A layer that reads pruned channels, or something computed of them."""

    node: str = field(metadata=doc("id of the operator"))
    op_type: str = field(metadata=doc("its type"))
    refitted: bool = field(metadata=doc("whether its weights were solved again"))
    target: str = field(
        metadata=doc(
            "tensor in which it was compared with the original; empty: not compared, or (recurrent layers) in what"
            " enters its gates"
        )
    )
    at_sum: bool = field(
        metadata=doc("whether that is a sum with another branch, whose error it makes up for")
    )
    ridge: float | None = field(
        metadata=doc(
            "how much it was held to the weights that it had, by the mean of the Gram matrix's diagonal; null"
            " where only its bias was changed, or nothing"
        )
    )
    before: float | None = field(
        metadata=doc(
            "error on held-out rows as it was, relative to the original's output there (L2); null: none"
        )
    )
    after: float | None = field(metadata=doc("the same with weights fitted without these rows"))
    rows: int = field(metadata=doc("rows of data (positions of its output) that it was solved on"))
    reason: str = field(metadata=doc("why it was left as it is, or empty"))


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Size of a model. Null is not known."""

    parameters: int | None = field(metadata=doc("weights, scales and biases"))
    macs: int | None = field(metadata=doc("multiply-accumulates of one run at the dims of the latency"))
    macs_reason: str = field(metadata=doc("why one is not known, or what the second leaves out; or empty"))
    file_bytes: int = field(metadata=doc("of the model file with all its weights"))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a model beside the original, on data that nothing was fitted to. Null is not known."""

    model: str = field(metadata=doc("which one: original, pruned, or another one of the same size"))
    agreement: float | None = field(metadata=doc("share of answers (largest class) that are the original's"))
    sqnr_db: float | None = field(
        metadata=doc("the original's outputs by the difference, in decibels; null where there is none")
    )
    accuracy: float | None = field(metadata=doc("share of answers that are the label, null without labels"))
    reason: str = field(metadata=doc("why a number is not known, or empty"))


@dataclass(frozen=True, slots=True)
class Speed:
    """Latency of the original and of the pruned model, run in turn. The interval is of 95 %, by bootstrap."""

    threads: int = field(metadata=doc("threads of onnxruntime within an operator"))
    before: float = field(metadata=doc("seconds of one run of the original, median"))
    after: float = field(metadata=doc("the same of the pruned model"))
    speedup: float = field(metadata=doc("how many times faster: median over rounds of both times in a round"))
    low: float = field(metadata=doc("lower end of its interval"))
    high: float = field(metadata=doc("upper end of its interval"))
    rounds: int = field(metadata=doc("how often both were timed"))
    verdict: str = field(
        metadata=doc("faster or slower, or not clear: the interval holds 1, or too few rounds make it")
    )


@dataclass(frozen=True, slots=True)
class Verification:
    """The pruned model beside the original: whether it is sound, what it gives, takes, and how fast it is."""

    source: str = field(metadata=doc("data that both were run on"))
    synthetic: bool = field(metadata=doc("made up: nothing follows for real data"))
    samples: int = field(metadata=doc("how many; none of them was fitted to or chosen by"))
    faults: Sequence[str] = field(
        metadata=doc("what is wrong with the pruned model: onnx.checker, names and shapes; empty: nothing")
    )
    original: ModelSize = field(metadata=doc("what the original takes"))
    pruned: ModelSize = field(metadata=doc("what the pruned model takes"))
    likeness: Sequence[Agreement] = field(
        metadata=doc(
            "the original, the pruned model, and others of its size: without refit, chosen at random"
        )
    )
    run_samples: int = field(metadata=doc("samples of one run that was timed"))
    speed: Sequence[Speed] = field(metadata=doc("at one thread, and at all where there are more"))
    no_speedup: str = field(
        metadata=doc("why no speed-up is to be expected, or none was measured; else empty")
    )
    unclear: str = field(metadata=doc("why the measurement says neither that nor a speed-up, or empty"))
    layers: Sequence[RefitLayer] = field(metadata=doc("the refit layer by layer; empty: none was made"))
    kernels: str = field(default="", metadata=doc("how quantized operators were run; empty: there are none"))
