"""What the README shows is what the program prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnea_graph.api.analyze import analyze
from nnea_graph.render.text.report import render_text

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_BLOCK = re.compile(r"<!-- output: nnea-graph run (\S+) -->\n```text\n(.*?)```", re.DOTALL)


def test_first_block_holds_the_two_commands() -> None:
    block = README.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    assert [line.split("&&")[0].split()[0] for line in block.splitlines() if line] == ["python3", "python3"]


def test_output_shown_is_the_output(request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    match = _BLOCK.search(text)
    assert match is not None
    output = render_text(analyze(ROOT / match[1]), verdict="PASSED")
    if request.config.getoption("--update-golden"):
        README.write_text(text.replace(match[2], output, 1) if match[2] else _filled(text, output), "utf-8")
        return
    assert match[2] == output, "pytest --update-golden writes the README's output anew"


def _filled(text: str, output: str) -> str:
    return text.replace("-->\n```text\n```", f"-->\n```text\n{output}```", 1)
