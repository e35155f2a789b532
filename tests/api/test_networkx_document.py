"""The examples of ``nnea-graph help networkx`` run as they stand and print what they say."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from nnea_graph.commands.cli import run_command_line

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "nnea_graph" / "docs" / "networkx.md"


def test_the_examples_give_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```(python|sh)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "python", "python", "sh", "python"]
    for kind, text in blocks:
        if kind == "sh":
            assert run_command_line([*shlex.split(text)[1:], "--no-progress"]) == 0
            continue
        test = doctest.DocTestParser().get_doctest(text, names, "networkx.md", str(DOCUMENT), 0)
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        outcome = runner.run(test, out=said.append, clear_globs=False)
        assert outcome.attempted
        assert not outcome.failed, "".join(said)
        names |= test.globs
