"""What the README and the manual show is what the program prints; the manual is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click import Group
from oracles.documents import MANUAL, README, ROOT, blocks

from nnea_graph.commands.cli import cli

_LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.mark.parametrize("path", [README, *MANUAL], ids=lambda path: path.stem)
def test_output_shown_is_the_output(path: Path, request: pytest.FixtureRequest) -> None:
    for shown, printed in blocks(path, rough=False):
        if request.config.getoption("--update-golden"):
            path.write_text(path.read_text(encoding="utf-8").replace(shown, printed), encoding="utf-8")
        else:
            assert shown == printed, "pytest --update-golden writes it anew"


def test_first_block_holds_the_two_commands() -> None:
    block = README.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    assert [line.split("&&")[0].split()[0] for line in block.splitlines() if line] == ["python3", "python3"]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("path", [README, *MANUAL], ids=lambda path: path.stem)
def test_links_lead_to_files(path: Path) -> None:
    links = _LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_lists_every_topic_of_the_manual() -> None:
    text = README.read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(\w+)`\]\(nnea_graph/docs/(\w+)\.md\)", text, re.MULTILINE)
    assert sorted(listed) == [(path.stem, path.stem) for path in MANUAL]


def test_the_manual_has_the_options_of_every_command_that_has_any() -> None:
    assert isinstance(cli, Group)
    text = (ROOT / "nnea_graph" / "docs" / "options.md").read_text(encoding="utf-8")
    shown = re.findall(r"nnea-graph ([\w-]+) --help -->", text)
    assert shown == [name for name, command in cli.commands.items() if len(command.params) > 1]
