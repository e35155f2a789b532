"""``nnea-graph operators``: which operators have which rules, as a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from itertools import groupby

from nnea_graph.api.operators import KINDS, OperatorSupport, operators, qualified
from nnea_graph.errors import UsageError
from nnea_graph.render.output_files import standard_output

_NONE = "-"


def list_operators(name: str | None, form: str) -> None:
    """Print all operators, or those of a name, with or without their domain.

    Raises:
        UsageError: no operator has that name.
    """
    found = operators() if name is None else _named(name)
    with standard_output() as stdout:
        if form == "json":
            whole = {"kinds": KINDS, "operators": [asdict(each) for each in found]}
            stdout.write(json.dumps(whole, indent=1) + "\n")
        else:
            lines = _table(found) if name is None else _details(found)
            stdout.writelines(f"{line}\n" for line in lines)


def _named(name: str) -> list[OperatorSupport]:
    every = operators()
    found = [
        each
        for each in every
        if name.lower() in {each.name.lower(), f"{each.domain}::{each.name}".lower(), qualified(each).lower()}
    ]
    if not found:
        near = get_close_matches(name.rpartition(":")[2], [each.name for each in every], 1)
        hint = f"did you mean '{near[0]}'?" if near else "'nnea-graph operators' lists them"
        raise UsageError(f"neither onnx nor a rule has an operator '{name}'; {hint}")
    return found


def _table(found: Sequence[OperatorSupport]) -> Iterator[str]:
    """A block a domain: totals, then a line an operator."""
    for domain, group in groupby(found, lambda each: each.domain):
        members = list(group)
        width = max(len(domain), *(len(each.name) + 2 for each in members))
        yield domain.ljust(width) + _cells(list(KINDS))
        yield f"  {len(members)} operators".ljust(width) + _cells(
            [str(sum(each.rules[kind] is not None for each in members)) for kind in KINDS]
        )
        for each in members:
            yield f"  {each.name}".ljust(width) + _cells([each.rules[kind] or _NONE for kind in KINDS])
        yield ""
    yield from _legend()


def _cells(words: Sequence[str]) -> str:
    return "".join(word.rjust(max(len(kind), 4) + 1) for kind, word in zip(KINDS, words, strict=True))


def _legend() -> Iterator[str]:
    for kind, meaning in KINDS.items():
        yield f"{kind:10} {meaning}"


def _details(found: Sequence[OperatorSupport]) -> Iterator[str]:
    for each in found:
        yield f"{each.domain}::{each.name}"
        for kind, meaning in KINDS.items():
            yield f"  {kind:10} {each.rules[kind] or _NONE:8} {meaning}"
