"""The report, schema 1: plain data that every output format is made from.

Every fact that is not known is None, with the reason beside it. Counts are integers, shares are
between 0 and 1, entropies are in nats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnea_graph.report.schema import doc
from nnea_graph.report.schema.modules import Module, StatisticTotals
from nnea_graph.report.schema.nulls import LayerImportanceNull, LayerWeightNull, ModelNull

if TYPE_CHECKING:  # the parts of one pass: where it has run, they are imported
    from nnea_graph.engine.section import FactSection
    from nnea_graph.report.schema.pathways import ChannelCoverage, ChannelFlow, Pathways
    from nnea_graph.report.schema.quantization import LayerQuantization, ModelQuantization
    from nnea_graph.report.schema.redundancy import LayerRedundancy, ModelRedundancy
    from nnea_graph.report.schema.sensitivity import LayerSensitivity, ModelSensitivity

SCHEMA_VERSION = "1"

Dim = int | str | None


@dataclass(frozen=True, slots=True)
class Tool:
    """The program that wrote the report."""

    name: str = field(metadata=doc("always nnea-graph"))
    version: str = field(metadata=doc("its version"))
    dependencies: Mapping[str, str] = field(
        metadata=doc("versions of the libraries that the numbers rest on")
    )


@dataclass(frozen=True, slots=True)
class ModelTensor:
    """An input or output of the model."""

    name: str = field(metadata=doc("as in the model"))
    dtype: str | None = field(metadata=doc("element type, null where the model does not say"))
    declared: Sequence[Dim] | None = field(
        metadata=doc("dims as the model declares them: numbers or symbols")
    )
    shape: Sequence[Dim] | None = field(metadata=doc("dims that the numbers of this report are at"))


@dataclass(frozen=True, slots=True)
class Model:
    """The model that was read."""

    path: str = field(metadata=doc("file name, without its folder"))
    sha256: str | None = field(metadata=doc("of the model file, external data not included"))
    size_bytes: int = field(metadata=doc("of the file and the external data that it uses"))
    format: str = field(metadata=doc("onnx"))
    producer: str = field(metadata=doc("what the file says wrote it"))
    ir_version: int | None = field(metadata=doc("of the ONNX file"))
    opsets: Mapping[str, int] = field(metadata=doc("version of each operator set; ai.onnx is spelled out"))
    inputs: Sequence[ModelTensor] = field(metadata=doc("what a caller feeds"))
    outputs: Sequence[ModelTensor] = field(metadata=doc("what a caller gets"))
    operators: int = field(metadata=doc("operators, those in bodies and inlined functions included"))
    metadata: Mapping[str, str] = field(
        metadata=doc("what the file says of itself: author, license, doc_string")
    )
    external_data: Sequence[str] = field(metadata=doc("files beside the model that hold weights"))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Part of the model that the cost totals stand on: counts of operators."""

    exact: int = field(metadata=doc("counted exactly, or free"))
    estimated: int = field(metadata=doc("an upper bound or a convention, with the reason at the node"))
    observed: int = field(metadata=doc("seen in one run on the data, for which alone they hold"))
    unknown: int = field(metadata=doc("not in the totals, with the reason at the node"))
    unknown_ops: Mapping[str, int] = field(metadata=doc("the unknown ones by operator type"))


@dataclass(frozen=True, slots=True)
class Metrics:
    """Statistics of x = |w| over a layer's weights or the model's; null where undefined."""

    count: int = field(metadata=doc("numbers counted, without NaN and infinities"))
    nan: int = field(metadata=doc("NaN among the weights, left out"))
    inf: int = field(metadata=doc("infinities among the weights, left out"))
    entropy: float | None = field(metadata=doc("H = -sum p ln p of p = x / sum x, in nats"))
    normalized_entropy: float | None = field(metadata=doc("H / ln n"))
    effective_weights: float | None = field(metadata=doc("exp(H)"))
    utilization: float | None = field(metadata=doc("exp(H) / n"))
    redundancy: float | None = field(metadata=doc("1 - H / ln n"))
    gini: float | None = field(metadata=doc("0 equal, towards 1 all in one weight; zeros included"))
    gini_bound: float | None = field(metadata=doc("gini is within this of the exact value"))
    hill_0: float | None = field(metadata=doc("number of x > 0"))
    hill_2: float | None = field(metadata=doc("1 / sum p^2"))
    hill_inf: float | None = field(metadata=doc("1 / max p"))
    mean: float | None = field(metadata=doc("of x"))
    std: float | None = field(metadata=doc("of x, over n"))
    max: float | None = field(metadata=doc("of x"))
    sparsity: Mapping[str, float] | None = field(
        metadata=doc("share of x strictly below 1e-3, 1e-2, 1e-1; at 0 the exact zeros")
    )
    top_share: Mapping[str, float] | None = field(
        metadata=doc("share of sum x that the largest 1, 5, 10, 20, 50 % hold")
    )
    reach: Mapping[str, float] | None = field(
        metadata=doc("fraction of the weights, largest first, that holds 50, 80, 90 % of sum x")
    )
    lorenz: Sequence[float] | None = field(metadata=doc("share held by the smallest 0, 1 … 100 %"))
    curve_bound: float | None = field(
        metadata=doc("top_share, reach and lorenz lie on a curve within this of the exact")
    )


@dataclass(frozen=True, slots=True)
class Channels:
    """Observations of the channels that enter and leave a layer. Null is not observed."""

    dead_inputs: int | None = field(
        metadata=doc("input channels that were 0 throughout and that weights wait for")
    )
    stranded_weight: float | None = field(metadata=doc("share of sum |w| that meets dead input channels"))
    outputs: int | None = field(metadata=doc("channels after the activation function"))
    dead_outputs: int | None = field(metadata=doc("of these, 0 throughout"))
    constant_outputs: int | None = field(metadata=doc("of these, always the same other number"))
    dead_output_bytes: int | None = field(metadata=doc("stored weights that make dead output channels"))
    constant_output_bytes: int | None = field(metadata=doc("stored weights that make constant ones"))
    rank_agreement: float | None = field(
        metadata=doc("rank correlation of sum |w| and sum of importance over input channels, from -1 to 1")
    )
    input_importance: Sequence[float] | None = field(metadata=doc("sum of importance by input channel"))
    output_importance: Sequence[float] | None = field(metadata=doc("sum of importance by output channel"))


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator with weights of its own."""

    id: str = field(metadata=doc("the ONNX node's name where it has one"))
    scope: str = field(metadata=doc("module of the source model, empty where the file does not say"))
    op_type: str = field(metadata=doc("operator"))
    parameters: int = field(
        metadata=doc("weights, scales and biases counted here; tied ones where they are met first")
    )
    tied_to: str | None = field(metadata=doc("layer that holds the same tensor, null where its own"))
    weight_shape: Sequence[int] | None = field(metadata=doc("of the largest weight, as the operator sees it"))
    weight_dtype: str | None = field(metadata=doc("element type of the largest weight as it is stored"))
    macs: int | None = field(metadata=doc("multiply-accumulates of matrix work, over all runs"))
    flops: int | None = field(metadata=doc("multiplies and adds of matrix work, over all runs"))
    other_flops: int | None = field(metadata=doc("everything else, by the stated conventions"))
    training_flops: int | None = field(metadata=doc("of one training step, by the stated convention"))
    status: str | None = field(
        metadata=doc("exact, estimated, observed or unknown; null where cost did not run")
    )
    reason: str = field(metadata=doc("why it is not exact"))
    weight_metrics: Metrics | None = field(metadata=doc("statistics of |w|, null where there are none"))
    metrics: Metrics | None = field(metadata=doc("the same of importance |w| mean|a|; null where not known"))
    metrics_reason: str = field(metadata=doc("why importance is not known, empty where it is"))
    importance: float | None = field(metadata=doc("sum of |w| mean|a| over the layer's weights"))
    importance_per_mmac: float | None = field(metadata=doc("importance for each million MACs"))
    importance_per_kib: float | None = field(metadata=doc("importance for each KiB of stored weights"))
    channels: Channels | None = field(metadata=doc("what its channels showed; null where not observed"))
    weight_null: LayerWeightNull | None = field(
        default=None, metadata=doc("utilization of random weights; null where there are too few weights")
    )
    importance_null: LayerImportanceNull | None = field(
        default=None,
        metadata=doc("utilization of importance with activations or weights shuffled; null where not known"),
    )
    flow: float | None = field(
        default=None,
        metadata=doc("share of all path mass that runs through its output; null where it is not followed"),
    )
    flow_channels: int | None = field(
        default=None, metadata=doc("channels of its output on the channel graph")
    )
    top_channels: Sequence[ChannelFlow] | None = field(
        default=None, metadata=doc("the ten channels of its output that carry most of it")
    )
    sensitivity: LayerSensitivity | None = field(
        default=None,
        metadata=doc("what the output loses without its weights; null where the pass did not run"),
    )
    quantization: LayerQuantization | None = field(
        default=None,
        metadata=doc("what its weights in few bits lose; null where the pass did not run"),
    )
    redundancy: LayerRedundancy | None = field(
        default=None,
        metadata=doc("its channels that can go; null where they are not followed or the pass did not run"),
    )


@dataclass(frozen=True, slots=True)
class Node:
    """One operator."""

    id: str = field(metadata=doc("the ONNX node's name where it has one"))
    op_type: str = field(metadata=doc("operator"))
    domain: str = field(metadata=doc("operator set; ai.onnx is spelled out"))
    scope: str = field(metadata=doc("module of the source model"))
    body: str = field(metadata=doc("branch or loop body that it lies in, empty for the main graph"))
    inputs: Sequence[str] = field(metadata=doc("tensor names; empty is an optional one left out"))
    outputs: Sequence[str] = field(metadata=doc("tensor names"))
    shapes: Sequence[Sequence[Dim] | None] = field(metadata=doc("of the outputs; null is not known"))
    dtypes: Sequence[str | None] = field(metadata=doc("of the outputs"))
    shape_source: str = field(metadata=doc("onnx, rule, declared, observed or unknown"))
    macs: int | None = field(metadata=doc("over all runs"))
    flops: int | None = field(metadata=doc("over all runs"))
    other_flops: int | None = field(metadata=doc("over all runs"))
    training_flops: int | None = field(metadata=doc("of one training step"))
    macs_formula: str | None = field(metadata=doc("exact polynomial in the symbolic dims"))
    bytes: int | None = field(metadata=doc("read and written in one run, weights included"))
    live_bytes: int | None = field(metadata=doc("activations in memory while it runs; null is not computed"))
    status: str | None = field(metadata=doc("exact, estimated, observed or unknown"))
    reason: str = field(metadata=doc("why it is free, estimated, observed or unknown"))
    runs: int | None = field(metadata=doc("how often it runs in one run of the model; null is unknown"))
    in_total: bool = field(metadata=doc("false in the cheaper of two alternative branches"))


@dataclass(frozen=True, slots=True)
class Branch:
    """One body of an operator with bodies."""

    path: str = field(metadata=doc("operator and attribute"))
    owner: str = field(metadata=doc("the operator"))
    operators: int = field(metadata=doc("in it and in bodies within"))
    parameters: int | None = field(metadata=doc("of layers in it and in bodies within"))
    macs: int | None = field(
        metadata=doc("over all runs, alternatives inside taken at the larger; null where some are unknown")
    )
    flops: int | None = field(metadata=doc("over all runs, likewise"))
    macs_per_trip: int | None = field(metadata=doc("when it runs once; null where an operator's are unknown"))
    runs: int | None = field(metadata=doc("trips; null where the data decide"))
    reason: str = field(metadata=doc("why the trips are not known, or none"))
    in_total: bool = field(metadata=doc("false where a costlier alternative is taken for the total"))


@dataclass(frozen=True, slots=True)
class PlainConstant:
    """A constant operand that is no parameter: a mask, a table, a grid, a buffer."""

    tensor: str = field(metadata=doc("as the operator reads it"))
    node: str = field(metadata=doc("the first operator that reads it"))
    elements: int = field(metadata=doc("how many numbers it has"))
    reason: str = field(metadata=doc("how one can tell that it is no parameter"))


@dataclass(frozen=True)
class CostTotals:
    """Sizes and costs of one run of the model, at the stated dims."""

    parameters: int | None = field(
        metadata=doc(
            "weights, scales and biases; tied ones once; BatchNorm statistics not. Where the source model is known,"
            " its own count, though the exporter may have folded some away"
        )
    )
    trainable_parameters: int | None = field(
        metadata=doc("those that train, null where the source model is not known")
    )
    buffers: int | None = field(
        metadata=doc("BatchNorm running means and variances, or what the source model calls buffers")
    )
    constants: int | None = field(
        metadata=doc("elements of masks, tables, grids and other operands that are no parameters")
    )
    weight_bytes: int | None = field(metadata=doc("of all constants as stored"))
    cost_status: str | None = field(
        metadata=doc(
            "what the next four totals are: exact, estimated, observed (in part seen in one run on the data), or"
            " lower bound (operators of unknown cost are left out)"
        )
    )
    cost_note: str = field(metadata=doc("what is left out of them, and what was observed on which data"))
    macs: int | None = field(metadata=doc("matrix work; of alternative branches the larger"))
    flops: int | None = field(metadata=doc("matrix work, exact multiplies and adds"))
    other_flops: int | None = field(metadata=doc("everything else, by convention"))
    training_flops: int | None = field(metadata=doc("of one training step"))
    macs_formula: str | None = field(
        metadata=doc("exact polynomial in the symbolic dims, null where there is none")
    )
    macs_formula_short: str | None = field(metadata=doc("the same, rounded to three digits"))
    macs_formula_note: str = field(metadata=doc("where it holds, or why there is none"))
    statistics_of: str | None = field(
        metadata=doc("importance where real data were run, else weights: what the next seven fields are of")
    )


@dataclass(frozen=True)
class Totals(StatisticTotals, CostTotals):
    """Totals of the whole model; costs come first. Null where the pass did not run."""

    weight_totals: StatisticTotals | None = field(metadata=doc("the same seven of plain |w|, always"))
    importance_totals: StatisticTotals | None = field(
        metadata=doc(
            "the same seven of importance, also where the data were made up; null where it is not known"
        )
    )
    weight_null: ModelNull | None = field(
        metadata=doc("utilization of random weights in place of |w|; null where not known")
    )
    importance_null: ModelNull | None = field(
        metadata=doc("utilization of importance with activations shuffled; null where not known")
    )
    peak_activation_bytes: int | None = field(metadata=doc("most that activations take at once, by liveness"))
    peak_node: str | None = field(metadata=doc("operator at the peak"))
    unsized_tensors: int | None = field(metadata=doc("tensors of unknown size, not in the peak"))
    coverage: Coverage | None = field(metadata=doc("what the cost totals stand on"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the reader should know, or do."""

    rule: str = field(metadata=doc("stable id, NNEA…"))
    severity: str = field(metadata=doc("note, warning or error"))
    node: str | None = field(metadata=doc("operator or tensor, null for the model"))
    message: str = field(metadata=doc("what was found"))
    hazard: str = field(metadata=doc("what it means"))
    mitigation: str = field(metadata=doc("what to do"))
    value: float | None = field(metadata=doc("the number that the rule looked at"))
    threshold: float | None = field(metadata=doc("the number that it was compared with"))


@dataclass(frozen=True, slots=True)
class DataUsed:
    """Data that the model was run on."""

    source: str = field(metadata=doc("file or folder, or synthetic with its seed"))
    samples: int = field(metadata=doc("how many were run"))
    synthetic: bool = field(
        metadata=doc("made up: every number that depends on running it is of made-up data")
    )
    not_run: str = field(metadata=doc("why the model was not run, empty where it was"))


@dataclass(frozen=True, slots=True)
class PassRun:
    """Outcome of a pass."""

    name: str = field(metadata=doc("pass"))
    status: str = field(metadata=doc("ok, failed or skipped"))
    reason: str = field(metadata=doc("why it is not ok"))


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """Everything that is known of one model."""

    schema_version: str = field(metadata=doc("1"))
    tool: Tool = field(metadata=doc("who wrote this"))
    model: Model = field(metadata=doc("what was analyzed"))
    conventions: Mapping[str, str] = field(metadata=doc("how flops, training and importance are counted"))
    dims: Mapping[str, int] = field(metadata=doc("numbers taken for the symbolic dims"))
    assumed_dims: Sequence[str] = field(metadata=doc("those that nobody set"))
    totals: Totals = field(metadata=doc("of the model"))
    layers: Sequence[Layer] = field(metadata=doc("operators with weights, in execution order"))
    nodes: Sequence[Node] = field(metadata=doc("all operators, in execution order"))
    branches: Sequence[Branch] = field(metadata=doc("bodies of If, Loop, Scan"))
    channels: ChannelCoverage | None = field(
        metadata=doc("the channel graph that paths run on; null where the pass did not run")
    )
    pathways: Pathways | None = field(metadata=doc("the best paths; null where the pass did not run"))
    findings: Sequence[Finding] = field(metadata=doc("errors, warnings, notes"))
    passes: Sequence[PassRun] = field(metadata=doc("what ran"))
    data: DataUsed | None = field(metadata=doc("what the model was run on, null where no pass runs it"))
    modules: Sequence[Module] = field(
        default=(),
        metadata=doc(
            "modules of the source model, outer ones before those in them; empty where none are known"
        ),
    )
    sensitivity: ModelSensitivity | None = field(
        default=None, metadata=doc("measured with weights set to zero, null where the pass did not run")
    )
    quantization: ModelQuantization | None = field(
        default=None, metadata=doc("measured with weights in few bits, null where the pass did not run")
    )
    redundancy: ModelRedundancy | None = field(
        default=None, metadata=doc("what can go without any loss, null where the pass did not run")
    )
    constants: Sequence[PlainConstant] = field(
        default=(), metadata=doc("operands that are no parameters, each with the reason")
    )
    extensions: Mapping[str, FactSection] = field(
        default_factory=dict, metadata=doc("facts of passes that describe them themselves, by pass")
    )

    def __repr__(self) -> str:
        """One line: the whole of it is for renderers."""
        counts = {"parameters": self.totals.parameters, "MACs": self.totals.macs}
        numbers = ", ".join(
            f"{name} not known" if count is None else f"{count:,} {name}" for name, count in counts.items()
        )
        found = len(self.findings)
        return f"<Report of {self.model.path}: {numbers}, {found} finding{'' if found == 1 else 's'}>"
