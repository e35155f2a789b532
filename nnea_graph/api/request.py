"""Request to analyze a model, made alike by the command line and by every function that Python programs call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nnea_graph.engine import PassResult, RunContext, run_passes
from nnea_graph.engine.context import silent
from nnea_graph.engine.data import Data
from nnea_graph.engine.manager import Listener
from nnea_graph.engine.pipeline import PassOptions, complete, parse
from nnea_graph.errors import UsageError, naming
from nnea_graph.frontends.resolve import Shapes
from nnea_graph.frontends.shared.interface import InputSpec
from nnea_graph.frontends.shared.limits import Limits
from nnea_graph.graph import ModelGraph
from nnea_graph.passes import catalogue
from nnea_graph.runtime.live_model import LiveModel
from nnea_graph.static.dims import dims_of, is_batch, symbolic_inputs, symbols_of

if TYPE_CHECKING:
    from nnea_graph.runtime.open_data import Spec

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRequest:
    """A source, what to run it on, and what is wanted of it; ``open`` gives the graph and the context of its passes.

    Args:
        source: whatever ``nnea_graph.analyze`` takes.
        data: what to run on; None is seeded random inputs.
        passes: pipeline text; None is every cheap pass.
        dims: numbers for symbolic dims.
        input_shapes: shapes of whole inputs; "" names the only one.
        batch: samples that costs are counted for: the number for every dim that counts samples.
        limits: how large a model, and what it takes, may be.
        allow_external: folder that links to external data may lead to.
        framework: what the source must be; ``auto`` is any.
        may_run: False keeps onnxruntime out.
        samples: the first so many of the data only.
        batch_size: samples of one run.
        preprocess: how images become inputs.
        seed: of everything drawn.
        seconds: time from now on in which the model may be run; None leaves that to the passes.
        training: how training FLOPs are counted.
        frozen: patterns of weights, operators or modules that do not train.
        top_k: paths to find; None leaves this and what follows to the pass.
        score: what makes a path good.
        sink: tensor or operator that paths lead into.
        sink_channel: class or neuron that they lead into.
    """

    source: object
    data: Spec | None = None
    passes: str | None = None
    dims: Mapping[str, int] = field(default_factory=dict[str, int])
    input_shapes: Shapes = field(default_factory=dict[str, InputSpec])
    batch: int | None = None
    limits: Limits = field(default_factory=Limits)
    allow_external: Path | None = None
    framework: str = "auto"
    may_run: bool = True
    samples: int | None = None
    batch_size: int = 8
    preprocess: str | None = None
    seed: int = 0
    seconds: float | None = None
    training: str = "4x"
    frozen: tuple[str, ...] = ()
    top_k: int | None = None
    score: str | None = None
    sink: str | None = None
    sink_channel: int | None = None

    def __post_init__(self) -> None:
        if self.preprocess and self.data is None:
            raise UsageError("--preprocess says how the images of --data become inputs; there is no --data")

    @property
    def options(self) -> PassOptions:
        """Options of passes that have a word of their own here."""
        paths = {
            "k": self.top_k,
            "score": self.score,
            "sink": self.sink,
            "sink_channel": self.sink_channel,
        }
        return {
            "cost": {"training": self.training, "frozen": self.frozen},
            "pathways": {name: value for name, value in paths.items() if value is not None},
        }

    def model(self) -> LiveModel:
        """The source, found out but not read.

        Raises:
            UsageError: no frontend takes it.
        """
        return LiveModel(self.source, self.framework, limits=self.limits, allow_external=self.allow_external)

    def open(self, model: LiveModel | None = None, progress: Progress = silent) -> OpenedModel:
        """Read the source, or what has been found out of it before, and the data.

        Raises:
            NneaError: one line that says what is wrong and what to do.
        """
        model = model or self.model()
        graph = model.graph(self.data, input_shapes=self.input_shapes, preprocess=self.preprocess)
        shapes = {
            name: shape
            for given, spec in self.input_shapes.items()
            for name, shape in [_fixed(graph, given, spec)]
        }
        dims = _batch_dims(graph, self.batch, shapes) | dict(self.dims)
        data: Data | None = None
        if self.data is not None:
            data, found = self._opened(graph, self.data, shapes)
            dims = found | dims
        context = RunContext(
            dims=dims,
            input_shapes=shapes,
            data=data,
            samples=self.samples,
            batch_size=self.batch_size,
            seed=self.seed,
            memory_bytes=self.limits.activation_bytes,
            deadline=None if self.seconds is None else time.monotonic() + self.seconds,
            progress=progress,
        )
        return OpenedModel(self, model, graph, context)

    def _opened(
        self, graph: ModelGraph, spec: Spec, shapes: Mapping[str, tuple[int, ...]]
    ) -> tuple[Data, dict[str, int]]:
        """The data, and the dims that they have."""
        from nnea_graph.runtime.open_data import open_data  # noqa: PLC0415 - only runs with data need it

        inputs = symbolic_inputs(graph)
        data = open_data(spec, inputs, samples=self.samples, preprocess=self.preprocess)
        free = {name: shape for name, shape in data.shapes().items() if name not in shapes}
        return data, dims_of(inputs, free)


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """Model that a ``request`` opens: the source, its graph without facts, and the context of its passes."""

    request: AnalysisRequest
    model: LiveModel
    graph: ModelGraph
    context: RunContext

    def run(self, listener: Listener | None = None) -> list[PassResult]:
        """Run the passes named in the request, or every cheap one, with all that they need."""
        chosen = complete(
            parse(self.request.passes) if self.request.passes is not None else [],
            catalogue(),
            self.request.options,
            may_run=self.request.may_run,
            with_data=self.context.data is not None,
        )
        with naming(self.graph.info.path):
            return run_passes(self.graph, chosen, self.context, listener)


def _fixed(graph: ModelGraph, given: str, spec: Sequence[int] | InputSpec) -> tuple[str, tuple[int, ...]]:
    """An input by its name and the dims that it is given.

    Raises:
        UsageError: it has no name and there are several, or it is of another type.
    """
    name = given or _only_input(graph)
    if not isinstance(spec, InputSpec):
        return name, tuple(spec)
    declared = graph.tensors[name].dtype if name in graph.tensors else None
    if spec.dtype and declared and spec.dtype != declared.name:
        raise UsageError(f"--input-shape: input '{name}' is {declared}, not {spec.dtype}")
    return name, spec.dims


def _only_input(graph: ModelGraph) -> str:
    if len(graph.inputs) != 1:
        names = ", ".join(graph.inputs)
        raise UsageError(
            f"an input shape without a name: the model has {len(graph.inputs)} inputs ({names}); say which"
        )
    return graph.inputs[0]


def _batch_dims(graph: ModelGraph, batch: int | None, fixed: Mapping[str, object]) -> dict[str, int]:
    """The number of samples for every symbol that counts them; the shapes of ``fixed`` inputs say their own."""
    if batch is None:
        return {}
    inputs = symbolic_inputs(graph)
    bound = set(symbols_of({name: inputs[name] for name in fixed if name in inputs}))
    symbols = [symbol for symbol in symbols_of(inputs) if is_batch(symbol) and symbol not in bound]
    if batch != 1 and not symbols:
        raise UsageError(f"batch={batch}: the model's inputs leave no number of samples open; leave it out")
    return dict.fromkeys(symbols, batch)
