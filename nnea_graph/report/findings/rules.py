"""The rules that findings go by: ids, severities, what they mean, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from nnea_graph.report.schema.analysis import Finding


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding. The id never changes its meaning."""

    id: str
    severity: str
    hazard: str
    mitigation: str

    def found(
        self, node: str | None, message: str, value: float | None = None, threshold: float | None = None
    ) -> Finding:
        """A finding of this kind."""
        return Finding(self.id, self.severity, node, message, self.hazard, self.mitigation, value, threshold)


UNSORTED = Rule(
    "NNEA101",
    "note",
    "onnx.checker and other tools reject a graph that is not topologically sorted; onnxruntime accepts it",
    "sort it when exporting, e.g. with toposort() of onnx-graphsurgeon",
)
RENAMED = Rule(
    "NNEA102",
    "note",
    "a name shared by two operators is ambiguous in every tool",
    "give operators unique names; this report appends _2, _3 … to the later ones",
)
UNKNOWN_COST = Rule(
    "NNEA103",
    "warning",
    "the totals exclude these operators",
    "read the reason at each node in the JSON report",
)
UNFIT_DIMS = Rule(
    "NNEA104",
    "warning",
    "shapes, and what depends on them, are unknown where the operators contradict the assumed dims",
    "give the real dims: --dim name=number or --input-shape input:1,3,224,224",
)
FAILED_PASS = Rule(
    "NNEA105",
    "error",
    "its results, and those of passes that depend on it, are missing from this report",
    "report this message to the author of the pass",
)
NOT_FINITE = Rule(
    "NNEA106",
    "error",
    "NaN and infinite weights make the model's outputs useless; statistics leave them out",
    "find where training diverged, or where a conversion overflowed",
)
UNKNOWN_LOOP = Rule(
    "NNEA107",
    "warning",
    "the totals exclude the body of this loop",
    "multiply 'macs_per_trip' of its branch in the JSON report by the expected trip count",
)
NOT_RUN = Rule(
    "NNEA108",
    "warning",
    "activations, importance and everything derived from them are unknown",
    "give valid data (--data), real dims (--dim, --input-shape), or more time and memory:"
    " -p '+activations{seconds=60}' --limit activation_bytes=8000000000; or skip it with --no-run",
)
UNLIKE_SOURCE = Rule(
    "NNEA109",
    "warning",
    "this report describes the exported model, whose outputs differ from those of its source",
    "look for code that depends on values, randomness or the batch size; report it to the exporter",
)
LEGACY_EXPORTER = Rule(
    "NNEA110",
    "note",
    "the legacy TorchScript exporter traces one run and keeps less of the source: weights may lose their names",
    "change the code that torch.export does not support",
)
FIXED_BATCH = Rule(
    "NNEA111",
    "note",
    "costs hold for this batch size, and --dim cannot change it",
    "convert it with a dynamic batch (keras.Input without batch_size) for other batch sizes",
)
FLOAT_ACTIVATIONS = Rule(
    "NNEA112",
    "note",
    "on a device the outputs differ by the quantization of activations",
    "nothing; or quantize activations too (representative_dataset), and read that file",
)
OTHER_SIGNATURES = Rule(
    "NNEA113",
    "note",
    "the report excludes the other signatures",
    "convert each of them to a file of its own",
)
UNCHECKED_SOURCE = Rule(
    "NNEA114",
    "note",
    "the outputs of the exported model were not compared with those of its source",
    "convert the model with built-in operators only, or compare the outputs yourself",
)
WIDENED = Rule(
    "NNEA115",
    "note",
    "sizes in bytes are those of float32, twice the source's; bfloat16 products on a device round more",
    "none needed: onnxruntime has no bfloat16 products on a CPU",
)
HOTSPOTS = Rule(
    "NNEA201",
    "note",
    "most of the computation is in these layers (hotspots): optimizing others gains little",
    "reduce channels here first, or use a factorized form (depthwise and pointwise, low rank)",
)
PARAMETER_HOTSPOTS = Rule(
    "NNEA202",
    "note",
    "most of the parameters are in these layers: compressing others hardly reduces the file",
    "reduce units here first, or use a low-rank factorization or low-bit weights",
)
LOW_UTILIZATION = Rule(
    "NNEA203",
    "warning",
    "few weights carry most of the importance, which suggests an oversized layer but does not prove it",
    "prune it and measure the loss",
)
LOW_WEIGHT_UTILIZATION = Rule(
    "NNEA214",
    "note",
    "few weights carry most of the magnitude, which suggests an oversized layer but does not prove it",
    "run it on real data (--data) to measure importance; this statistic uses the weights alone",
)
SPARSE = Rule(
    "NNEA204",
    "warning",
    "weights of (nearly) no effect are still stored and multiplied",
    "remove whole channels, or train a smaller layer; runtimes do not exploit unstructured zeros",
)
TIED = Rule(
    "NNEA205",
    "note",
    "the parameters are counted once, at the first layer",
    "none needed; a change to one layer changes the other",
)
UNFOLDED_BATCHNORM = Rule(
    "NNEA206",
    "note",
    "a normalization that could be folded into the preceding convolution costs a pass over the activations",
    "fold it when exporting, if your runtime does not (onnxruntime does while loading)",
)
DEAD_CHANNELS = Rule(
    "NNEA207",
    "warning",
    "units that are never active on the data cost memory and time without effect",
    "remove these channels with their coupled channels; check first on data that cover every class",
)
CONSTANT_CHANNELS = Rule(
    "NNEA208",
    "note",
    "units with a constant output could be folded into the next bias",
    "fold them into the next layer's bias and remove them",
)
STRANDED_WEIGHTS = Rule(
    "NNEA209",
    "note",
    "weights on inputs that are always 0 have no effect on the data",
    "remove them with the dead channels or inputs that feed them",
)
