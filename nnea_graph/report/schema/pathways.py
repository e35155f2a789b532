"""The part of the report that is about channels and paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnea_graph.report.schema import doc
from nnea_graph.report.schema.path_validation import PathValidation


@dataclass(frozen=True, slots=True)
class ChannelFlow:
    """A channel of a layer's output, and what runs through it."""

    channel: int = field(metadata=doc("its number"))
    flow: float = field(metadata=doc("share of all path mass that runs through it"))


@dataclass(frozen=True, slots=True)
class PathUnit:
    """A channel on a path."""

    node: str | None = field(metadata=doc("operator that the path enters it by; null where the path begins"))
    tensor: str = field(metadata=doc("tensor that it is a channel of"))
    channel: int = field(metadata=doc("its number: the index along the channel axes, raveled"))


@dataclass(frozen=True, slots=True)
class Pathway:
    """One path from a source to a sink."""

    score: float = field(metadata=doc("product of the shares along it into its own sink channel"))
    log_score: float = field(metadata=doc("natural logarithm of score, which may be too small for a float"))
    share: float = field(metadata=doc("score x 1 / number of sink channels: shares of all paths add to mass"))
    units: Sequence[PathUnit] = field(
        metadata=doc("ends, and every operator with weights or join between them, from source to sink")
    )


@dataclass(frozen=True, slots=True)
class PathEnd:
    """A tensor that paths begin or end in."""

    tensor: str = field(metadata=doc("its name"))
    channels: int = field(metadata=doc("how many of its channels are ends of paths"))
    channel: int | None = field(metadata=doc("the one that was asked for, null for all"))


@dataclass(frozen=True, slots=True)
class Pathways:
    """The best paths, and what they carry of all."""

    score: str = field(
        metadata=doc("flow (shares of what enters each channel) or importance (of each layer)")
    )
    strengths: str = field(
        metadata=doc(
            "what shares are of: importance (|w| mean|a|) where real data were run, else weights (|w|)"
        )
    )
    k: int = field(metadata=doc("how many paths were asked for"))
    sources: Sequence[PathEnd] = field(metadata=doc("where paths begin"))
    sinks: Sequence[PathEnd] = field(metadata=doc("where paths end"))
    mass: float = field(metadata=doc("sum of the shares of all paths; below 1 where flow begins elsewhere"))
    flow_covered: float = field(metadata=doc("sum of the shares of the paths listed"))
    part_of_mass: float | None = field(metadata=doc("flow_covered / mass, null where there is no path"))
    entropy: float | None = field(metadata=doc("of the parts of mass of all paths, in nats"))
    effective_paths: float | None = field(
        metadata=doc("exp(entropy): as many paths of equal share are as spread; null where no float holds it")
    )
    operators: Sequence[str] = field(metadata=doc("operators that the paths listed run through"))
    operator_macs: int | None = field(metadata=doc("their MACs; null where one is unknown"))
    operator_bytes: int | None = field(metadata=doc("what they read and write; null where one is unknown"))
    unusable: Mapping[str, int] = field(
        metadata=doc("strengths that are NaN or infinite and no edges, by operator")
    )
    paths: Sequence[Pathway] = field(metadata=doc("best first; ties by place in the model"))
    validation: PathValidation | None = field(
        metadata=doc("what the model does without these units; null where the pass did not run")
    )


@dataclass(frozen=True, slots=True)
class ChannelEnd:
    """A place where channels could not be followed."""

    node: str = field(metadata=doc("operator"))
    tensor: str = field(metadata=doc("its input that ends there"))
    reason: str = field(metadata=doc("why"))


@dataclass(frozen=True, slots=True)
class ChannelOutput:
    """An output of the model on the channel graph, or not."""

    name: str = field(metadata=doc("output"))
    channels: int | None = field(metadata=doc("its channels; null where the channel graph does not reach it"))


@dataclass(frozen=True, slots=True)
class ChannelCoverage:
    """Part of the model that the channel graph holds, and where it ends."""

    layers: int = field(metadata=doc("operators with weights that run"))
    covered_layers: int = field(metadata=doc("those on the channel graph"))
    uncovered: Mapping[str, str] = field(metadata=doc("the others, each with the reason"))
    macs: int | None = field(metadata=doc("of all operators, all branches; null where cost did not run"))
    covered_macs: int | None = field(metadata=doc("of operators on the channel graph"))
    query_key_macs: int | None = field(metadata=doc("of products of queries and keys"))
    mac_share: float | None = field(metadata=doc("covered_macs / (macs - query_key_macs)"))
    inputs: Sequence[str] = field(metadata=doc("tensors that the channel graph begins with"))
    outputs: Sequence[ChannelOutput] = field(metadata=doc("outputs of the model"))
    ends: Sequence[ChannelEnd] = field(metadata=doc("where it could not be followed"))
    query_key: Sequence[ChannelEnd] = field(
        metadata=doc("products of queries and keys: attention is followed along the values, by design")
    )
    marks: Mapping[str, int] = field(metadata=doc("what was simplified, and at how many operators"))
