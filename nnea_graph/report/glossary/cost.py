"""Terms of size, computation, memory and report structure."""

from __future__ import annotations

from nnea_graph.report.glossary.term import Term

TERMS = (
    Term(
        "layer",
        "An operator with weights of its own.",
        aliases=("layer, most sensitive first", "layer, most changed first"),
    ),
    Term("operator", "A node of the ONNX graph.", aliases=("operators", "by operator")),
    Term("module", "A module or layer of the source model.", aliases=("by module", "class")),
    Term(
        "body",
        "Subgraph of an If, Loop or Scan operator; the totals include the costlier of two alternatives.",
    ),
    Term("weight", "Shape of the largest weight of a layer, as the operator sees it."),
    Term(
        "parameters",
        "Weights, scales and biases; tied tensors count once, BatchNorm statistics are buffers.",
        units="count",
        good_for="model size independent of the data type",
        not_for="latency",
        aliases=("params",),
    ),
    Term(
        "trainable_parameters",
        "Parameters that the source model trains; null if the source is unknown.",
        units="count",
    ),
    Term(
        "constants",
        "Elements of masks, tables, position grids and other constant operands that are no parameters.",
        units="count",
    ),
    Term(
        "buffers", "BatchNorm running means and variances, or the buffers of the source model.", units="count"
    ),
    Term(
        "stored size",
        "Bytes of all constants as stored in the model.",
        units="bytes",
        aliases=("weight_bytes",),
    ),
    Term(
        "MACs",
        "Multiply-accumulates of convolutions, matrix products, attention and recurrent cells in one run.",
        "Conv: out positions · out channels · Πkernel · in channels / groups",
        "multiply-accumulates",
        good_for="comparing compute-bound models at the same input size",
        not_for="predicting latency of memory-bound operators",
        aliases=("MACs %", "%"),
    ),
    Term(
        "FLOPs",
        "Exact multiplies and adds of the operators counted in MACs.",
        "dot product of length n: 2n - 1; bias: +1",
        "operations",
        good_for="comparison with tools that count operations",
        not_for="latency",
    ),
    Term(
        "other FLOPs",
        "Operations of all other operators: one per elementary function of an element.",
        units="operations",
        aliases=("other_flops",),
    ),
    Term(
        "training FLOPs",
        "FLOPs of one training step, by convention 4 × inference or by exact reachability.",
        "4 × FLOPs, or forward + 2 × MACs per operand with a gradient",
        "operations",
        aliases=("training_flops",),
    ),
    Term(
        "MACs formula",
        "MACs as an exact polynomial in the symbolic dims.",
        units="multiply-accumulates",
        good_for="scaling with batch size and sequence length",
        aliases=("macs_formula", "macs_formula_short", "macs_formula_note"),
    ),
    Term(
        "cost status",
        "Kind of the cost totals: exact, estimated, observed in one run on the data, or a lower bound.",
        not_for="comparing observed totals of different data",
        aliases=("cost_status", "cost_note"),
    ),
    Term("statistics_of", "Quantity of the model statistics: importance if real data ran, else weights."),
    Term("weight_totals", "The statistics of |w| over the whole model."),
    Term(
        "peak activations",
        "Largest number of bytes of live activations at any step of the execution order.",
        "max over steps of Σ bytes of live tensors",
        "bytes",
        good_for="memory limits of small devices",
        not_for="the resident memory of a runtime, which adds weights, arenas and workspaces",
        aliases=("peak_activation_bytes",),
    ),
    Term("peak_node", "Operator at the activation peak."),
    Term("unsized_tensors", "Number of tensors of unknown size, excluded from the peak.", units="tensors"),
    Term(
        "coverage",
        "Number of operators with exact, estimated and unknown cost; unknown ones are not in the totals.",
        units="operators",
    ),
    Term("exact", "Status: the cost is counted without approximation."),
    Term("estimated", "Status: the cost is an upper bound or a convention; the reason is given at the node."),
    Term("unknown", "Status: the cost is not known and not in the totals; the reason is given at the node."),
    Term(
        "accuracy",
        "Share of labels predicted correctly.",
        units="0 to 1",
        not_for="small samples",
        aliases=("accuracy %",),
    ),
    Term(
        "top-1 agreement",
        "Share of outputs whose largest class equals that of the original model.",
        units="0 to 1",
        good_for="comparing models without labels",
        not_for="regression outputs",
        aliases=("top-1 agreement %", "top-1 agree. %"),
    ),
    Term(
        "relative L2",
        "Norm of the output change relative to the original outputs.",
        "|y' - y| / |y|",
        "0 is unchanged",
        good_for="any numeric output",
        not_for="a statement about accuracy",
        aliases=("output changes %", "relative_l2", "change"),
    ),
    Term("PASSED", "Verdict: no gate failed and no finding is an error.", aliases=("passed with gaps",)),
    Term("FAILED", "Verdict: a gate failed or a finding is an error."),
)
