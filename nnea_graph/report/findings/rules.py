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
    "onnx.checker and other tools refuse such a file, though onnxruntime runs it",
    "sort it when exporting: onnx-graphsurgeon's toposort() does",
)
RENAMED = Rule(
    "NNEA102",
    "note",
    "a name that two operators share is ambiguous in every tool",
    "give operators names of their own; here the later ones end in _2, _3 …",
)
UNKNOWN_COST = Rule(
    "NNEA103",
    "warning",
    "the totals are without these operators",
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
    "its facts are missing from this report, and those of passes that need it",
    "report it to whoever wrote the pass, with this line",
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
    "the totals are without the body of this loop",
    "multiply 'macs_per_trip' of its branch in the JSON report by the trips that you expect",
)
NOT_RUN = Rule(
    "NNEA108",
    "warning",
    "activations, importance and what rests on them are not known",
    "give data that the model takes: --data, real dims: --dim, --input-shape, or more time and memory:"
    " -p '+activations{seconds=60}' --limit activation_bytes=8000000000; or --no-run to leave it out",
)
UNLIKE_SOURCE = Rule(
    "NNEA109",
    "warning",
    "the numbers of this report are of the exported model, which is another one than its source",
    "look for code that depends on values, on randomness or on the number of samples; report it to the exporter",
)
OLD_EXPORTER = Rule(
    "NNEA110",
    "note",
    "an export that follows one run knows less of its source: weights may have no names, new ones need a new export",
    "change what torch.export cannot take",
)
FIXED_BATCH = Rule(
    "NNEA111",
    "note",
    "costs are of so many samples a run, and --dim cannot ask for others",
    "convert it with a dynamic batch (keras.Input without batch_size), if other numbers are wanted",
)
FLOAT_ACTIVATIONS = Rule(
    "NNEA112",
    "note",
    "on a device the outputs differ by what this rounding adds",
    "nothing; or quantize activations too (representative_dataset), and read that file",
)
OTHER_SIGNATURES = Rule(
    "NNEA113",
    "note",
    "the report leaves the others out",
    "convert each of them to a file of its own",
)
UNCHECKED_SOURCE = Rule(
    "NNEA114",
    "note",
    "nobody has compared the exported model's outputs with its source's",
    "convert the model with built-in operators alone, or compare them yourself",
)
WIDENED = Rule(
    "NNEA115",
    "note",
    "sizes in bytes are those of float32, twice the source's; on a device products of bfloat16 round more",
    "nothing: onnxruntime has no products of bfloat16 on a CPU",
)
DEARER_LAYERS = Rule(
    "NNEA201",
    "note",
    "this is where time goes: work elsewhere gains little",
    "try fewer channels here first, or a factorized form (depthwise and pointwise, low rank)",
)
LARGER_LAYERS = Rule(
    "NNEA202",
    "note",
    "this is where the size is: work elsewhere hardly makes the file smaller",
    "try fewer units here first, a low-rank factorization, or weights of fewer bits",
)
LOW_UTILIZATION = Rule(
    "NNEA203",
    "warning",
    "few weights carry most of the importance, which hints at an oversized layer; it does not prove it",
    "prune it and measure the loss",
)
LOW_WEIGHT_UTILIZATION = Rule(
    "NNEA203",
    "note",
    "few weights carry most of the magnitude, which hints at an oversized layer; it does not prove it",
    "run it on real data (--data), which tells importance: this statistic is of weights alone",
)
SPARSE = Rule(
    "NNEA204",
    "warning",
    "weights that do (nearly) nothing are stored and multiplied all the same",
    "remove whole channels, or train the layer smaller: runtimes gain nothing from scattered zeros",
)
TIED = Rule(
    "NNEA205",
    "note",
    "the parameters are counted once, at the layer that comes first",
    "nothing; a change to one layer changes the other",
)
UNFOLDED_BATCHNORM = Rule(
    "NNEA206",
    "note",
    "a normalization that could be part of the convolution before it costs a pass over the activations",
    "fold it when exporting, if your runtime does not (onnxruntime does while loading)",
)
DEAD_CHANNELS = Rule(
    "NNEA207",
    "warning",
    "units that are never active on the data take memory and time for nothing",
    "remove these channels with all that belongs to them; check on data that show every class first",
)
CONSTANT_CHANNELS = Rule(
    "NNEA208",
    "note",
    "units that always give the same number could be part of the next bias",
    "fold them into the next layer's bias and remove them",
)
STRANDED_WEIGHTS = Rule(
    "NNEA209",
    "note",
    "weights that meet inputs which are always 0 have no effect on the data",
    "they go with the dead channels before them, or with inputs that never carry anything",
)
