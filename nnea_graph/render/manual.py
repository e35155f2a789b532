"""The manual: Markdown documents of the package, printed to a terminal or as plain text."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TextIO

_FOLDER = "docs"
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
"""Marks for the tests that keep the documents true."""
_WIDEST = 120


def topics() -> dict[str, str]:
    """The title of every document, by topic."""
    folder = files("nnea_graph").joinpath(_FOLDER)
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".md"))
    return {name.removesuffix(".md"): _title(document(name.removesuffix(".md"))) for name in names}


def document(topic: str) -> str:
    """The text of a topic, which has to exist."""
    text = files("nnea_graph").joinpath(_FOLDER, f"{topic}.md").read_text(encoding="utf-8")
    return _COMMENT.sub("", text)


def print_document(topic: str, out: TextIO) -> None:
    """Prints a topic: styled on a terminal, as Markdown elsewhere."""
    text = document(topic)
    shown = text.encode(out.encoding or "utf-8", "backslashreplace").decode(out.encoding or "utf-8")
    if not out.isatty() or shown != text:
        out.write(shown)
        return
    from rich.console import Console  # noqa: PLC0415 - only terminals need it
    from rich.markdown import Markdown  # noqa: PLC0415 - as above

    console = Console(file=out)
    page = Markdown(text, code_theme="ansi_dark", hyperlinks=False)
    console.print(page, width=min(console.width, _WIDEST))


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")
