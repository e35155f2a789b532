"""Options that several commands have are defined once, so they are the same everywhere."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path

from nnea_graph.commands import cli

FORMATS = "formats"
"""Of ``run``: several formats, each with its file; other commands have one format."""


def test_no_option_is_written_out_for_two_commands() -> None:
    tree = ast.parse(Path(cli.__file__).read_text(encoding="utf-8"))
    written = Counter(
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "option"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    )
    assert written
    assert [name for name, count in written.items() if count > 1] == []


def test_an_option_takes_the_same_in_every_command() -> None:
    kinds = defaultdict(set)
    for command in cli.cli.commands.values():
        for option in command.params:
            if option.param_type_name == "option" and option.name != FORMATS:
                kinds[option.opts[-1]].add(
                    (option.name, type(option.type).__name__, option.multiple, option.nargs)
                )
    assert len(kinds) > 30
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}
