"""Text report: which model this is, and the dims that its numbers are at."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from rich.text import Text

from nnea_graph.render.page import Page, dims, many
from nnea_graph.render.sanitize import inert, shorten
from nnea_graph.render.text.layout import HEADER, sentence
from nnea_graph.report.schema.analysis import ModelTensor
from nnea_graph.report.units import binary

_MOST_TENSORS = 6
_MOST_DIMS = 8
_NAME = 40
_SOURCE = 60


def header(page: Page) -> list[Text]:
    """File, origin, inputs, outputs, dims."""
    model = page.report.model
    opsets = ", ".join(
        f"opset {opset}" if domain == "ai.onnx" else f"{_short(domain)} {opset}"
        for domain, opset in model.opsets.items()
    )
    about = " · ".join(
        filter(None, (model.format, opsets, binary(model.size_bytes), many(model.operators, "operator")))
    )
    origin = f"written by {shorten(inert(model.producer), _NAME)}" if model.producer else ""
    name = Text(shorten(inert(model.path), page.width), "bold")
    return [
        name,
        *sentence("model", Text(" · ".join(filter(None, (about, origin)))), width=page.width, start=HEADER),
        *_tensors("inputs", model.inputs, page),
        *_tensors("outputs", model.outputs, page),
        *_dims(page),
        *_data(page),
    ]


def _tensors(label: str, tensors: Sequence[ModelTensor], page: Page) -> list[Text]:
    shown = tensors if page.verbose else tensors[:_MOST_TENSORS]
    lines = []
    for place, tensor in enumerate(shown):
        lines += sentence("" if place else label, _tensor(tensor), width=page.width, start=HEADER)
    if len(tensors) > len(shown):
        lines += sentence(
            "",
            Text(f"… {len(tensors) - len(shown):,} more: -v or JSON", "dim"),
            width=page.width,
            start=HEADER,
        )
    return lines


def _tensor(tensor: ModelTensor) -> Text:
    declared, actual = dims(tensor.declared), dims(tensor.shape)
    same = tensor.shape is None or declared == actual
    shape = declared if same else actual if tensor.declared is None else f"{declared} = {actual}"
    return Text(f"{shorten(inert(tensor.name), _NAME)}  {tensor.dtype or 'type unknown'} {shape}")


def _dims(page: Page) -> list[Text]:
    report = page.report
    assumed = [name for name in report.dims if name in set(report.assumed_dims)]
    given = [name for name in report.dims if name not in set(report.assumed_dims)]
    lines = []
    if given:
        lines += sentence("dims given", Text(_values(page, given)), width=page.width, start=HEADER)
    if assumed:
        words = Text(_values(page, assumed))
        words.append(f"; set with {_options(assumed)}", "dim")
        lines += sentence("dims assumed", words, width=page.width, start=HEADER)
    return lines


def _data(page: Page) -> list[Text]:
    """Data that the model ran on, with a note where the inputs are synthetic."""
    data = page.report.data
    if data is None:
        return []
    if data.not_run:
        return sentence(
            "data", Text(f"not run: {inert(data.not_run)}", "yellow"), width=page.width, start=HEADER
        )
    words = Text(f"{shorten(inert(data.source), _SOURCE)}, {many(data.samples, 'sample')}")
    if data.synthetic:
        words.append(
            ": activation statistics (JSON, -v) use synthetic inputs; --data FILE uses real data", "dim"
        )
    return sentence("data", words, width=page.width, start=HEADER)


def _values(page: Page, names: Sequence[str]) -> str:
    shown = names if page.verbose else names[:_MOST_DIMS]
    more = f" … {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return ", ".join(f"{_short(name)}={page.report.dims[name]:,}" for name in shown) + more


def _options(names: Sequence[str]) -> str:
    return " ".join(f"--dim {quote(_short(name))}=8" for name in names[:3])


def _short(name: str) -> str:
    return shorten(inert(name), _NAME)
