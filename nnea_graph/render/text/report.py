"""The report as text for a terminal or a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from io import StringIO

from rich.console import Console
from rich.text import Text

from nnea_graph.render.page import Page
from nnea_graph.render.text.cost import branches, sites
from nnea_graph.render.text.findings import conventions, failures, findings
from nnea_graph.render.text.layers import layers
from nnea_graph.render.text.model import header
from nnea_graph.render.text.totals import cost, metrics
from nnea_graph.report import Report

Section = Callable[[Page], Iterable[Text]]


def _section(module: str, name: str = "") -> Section:
    """The section of a module that is imported where it has something to show."""
    found: Section = getattr(import_module(f"nnea_graph.render.text.{module}"), name or module)
    return found


def _sections(report: Report) -> Iterator[Section]:
    """The sections in their order; those of one pass only where it has left something."""
    yield from (header, metrics, cost, branches, sites)
    if report.modules:
        yield _section("modules")
    yield layers
    if any(layer.importance for layer in report.layers):
        yield _section("activity")
    if report.sensitivity:
        yield _section("sensitivity")
    if report.quantization:
        yield _section("quantization")
    if report.pathways:
        yield from (_section("pathways"), _section("path_validation", "validation"), _section("channels"))
    if report.redundancy:
        yield _section("redundancy")
    if report.extensions:
        yield _section("extensions")
    yield from (findings, conventions, failures)


_NARROWEST, _WIDEST = 72, 120
_PLAIN: dict[int, str | int] = {
    **str.maketrans("×·…█▏▎▍▌▋▊▉→–", "x*~#|||||||>-"),
    ord("²"): "^2",
    ord("³"): "^3",
}


def render_text(
    report: Report, *, width: int = 80, verbose: bool = False, top: int = 10, verdict: str | None = None
) -> str:
    """The report as plain text, no line longer than ``width`` (72 to 120) cells."""
    out = StringIO()
    console = Console(file=out, width=width, no_color=True, force_terminal=False)
    print_text(report, console, verbose=verbose, top=top, verdict=verdict)
    return out.getvalue()


class Terminal(Console):
    """Terminal, where people read; a pipe that they have closed is left to ``files.standard_output``."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program here."""
        raise BrokenPipeError


def print_text(
    report: Report, console: Console, *, verbose: bool = False, top: int = 10, verdict: str | None = None
) -> None:
    """Print the report as wide as the console, 72 to 120 cells.

    Args:
        report: what to show.
        console: where to; its colors and its encoding are respected.
        verbose: every layer, branch, name and finding in full.
        top: layers by MACs and by parameters to show where there are more than twice as many.
        verdict: the last line, beginning with PASSED or FAILED.
    """
    page = Page(report, max(_NARROWEST, min(console.width, _WIDEST)), verbose, top)
    for section in _sections(report):
        for line in section(page):
            _print(line, console)
    if verdict is not None:
        _print(Text(), console)
        _print(Text(verdict, "bold green" if verdict.startswith("PASSED") else "bold red"), console)


def print_lines(lines: Iterable[Text], console: Console) -> None:
    """Lines of another report, in its colors and its encoding."""
    for line in lines:
        _print(line, console)


def _print(line: Text, console: Console) -> None:
    console.print(_encodable(line, console.encoding), soft_wrap=True, highlight=False)


def _encodable(line: Text, encoding: str) -> Text:
    """The line itself, or one in signs that the output's encoding has."""
    try:
        line.plain.encode(encoding)
    except UnicodeEncodeError:
        plain = line.plain.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
        return Text(plain)
    return line
