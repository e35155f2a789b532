"""Outputs of the program that documents show: each block of text names the command that prints it.

``<!-- output: nnea-graph ARGUMENTS -->`` is the output to the letter, ``<!-- output with other numbers: … -->`` one
that depends on the clock and the processor; ``| Title`` behind the arguments takes the section that begins so.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
MANUAL = sorted((ROOT / "nnea_graph" / "docs").glob("*.md"))
_BLOCK = re.compile(
    r"<!-- output(?P<rough> with other numbers)?: nnea-graph (?P<command>[^|]+?)(?P<sections>( \| [^|]+?)*) -->\n"
    r"```text\n(?P<shown>.*?)```",
    re.DOTALL,
)
_WORD = re.compile(r"[^\W\d_]{2,}")


def blocks(path: Path, *, rough: bool) -> Iterator[tuple[str, str]]:
    """Every block with what takes its place: itself where it is true."""
    text = path.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    assert len(found) == text.count("<!-- output"), f"{path.name}: a block that cannot be read"
    for match in found:
        if bool(match["rough"]) == rough:
            yield match[0], _renewed(match)


def _renewed(match: re.Match[str]) -> str:
    output = _printed(match["command"])
    sections = [each.strip() for each in match["sections"].split("|") if each.strip()]
    output = _only(sections, output) if sections else output
    if match["rough"] and match["shown"] and _words(match["shown"]) <= _words(output):
        return match[0]
    return match[0].replace(f"```text\n{match['shown']}```", f"```text\n{output}```")


@cache
def _printed(command: str) -> str:
    """Standard output of a command that finds the shipped models and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "models").symlink_to(ROOT / "models")
        done = subprocess.run(
            [sys.executable, "-m", "nnea_graph", *shlex.split(command)],
            cwd=folder,
            env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
    return done.stdout


def _only(sections: list[str], text: str) -> str:
    paragraphs = text.split("\n\n")
    found = [each for title in sections for each in paragraphs if each.startswith(title)]
    assert len(found) == len(sections), f"{sections} are not all in the output"
    return "\n\n".join(each.rstrip("\n") for each in found) + "\n"


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))
