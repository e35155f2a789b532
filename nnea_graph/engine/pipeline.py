"""Pipeline text: ``cost,weight_statistics`` or ``+pathways{k=5}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from typing import Any

from nnea_graph.engine.base import Pass
from nnea_graph.errors import PipelineError
from nnea_graph.graph import Key

_ITEM = re.compile(r"\s*(?P<add>\+?)(?P<name>[A-Za-z_][\w-]*)\s*(?:\{(?P<options>[^{}]*)\})?\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Item:
    """One pass as the user names it; ``added`` puts it on top of the default pipeline."""

    name: str
    options: Mapping[str, str]
    added: bool


def parse(text: str) -> list[Item]:
    """Split pipeline text.

    >>> [item.name for item in parse("cost,pathways{k=5,score=flow}")]
    ['cost', 'pathways']

    Raises:
        PipelineError: text that is not a list of passes with options in braces.
    """
    items: list[Item] = []
    place = 0
    while place < len(text):
        match = _ITEM.match(text, place)
        if match is None or match.end() == place:
            raise PipelineError(
                f"cannot read the pipeline at '{text[place:][:40]}'; write name{{option=value}},name"
            )
        options = _options(match["name"], match["options"] or "")
        items.append(Item(match["name"].replace("-", "_"), options, bool(match["add"])))
        place = match.end()
    if not items:
        raise PipelineError("the pipeline is empty; 'nnea-graph passes' lists the passes")
    return items


def _options(name: str, text: str) -> dict[str, str]:
    options = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise PipelineError(f"option '{part}' of pass '{name}' needs a value: {part}=…")
        options[key.strip()] = value.strip()
    return options


def build(kind: type[Pass], options: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Pass:
    """A pass with its options, from text and, where the text is silent, from ``given`` values.

    Raises:
        PipelineError: an option that the pass does not have, or a value of the wrong type.
    """
    known = {field.name: field for field in fields(kind)}
    values: dict[str, Any] = dict(given or {})
    for name, text in options.items():
        if name not in known:
            raise PipelineError(
                f"pass '{kind.name}' has no option '{name}'; it has {', '.join(known) or 'none'}"
            )
        values[name] = _typed(kind.name, name, type_name(known[name]), text)
    return kind(**values)


def type_name(option: Field[Any]) -> str:
    """An option's type in words, whether its module postpones annotations or not."""
    return option.type.__name__ if isinstance(option.type, type) else str(option.type)


READERS: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "int | None": int,
    "float": float,
    "float | None": float,
    "str": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "tuple[str, ...]": lambda text: tuple(text.split("|")),
}


def _typed(pass_name: str, option: str, kind: str, text: str) -> Any:
    reader = READERS.get(kind)
    if reader is None:
        raise PipelineError(f"option '{option}' of pass '{pass_name}' cannot be given as text")
    try:
        return reader(text)
    except (ValueError, KeyError):
        raise PipelineError(f"option '{option}' of pass '{pass_name}' is {kind}, not '{text}'") from None


Catalogue = Mapping[str, Callable[[], type[Pass]]]
"""Passes by name; calling the value imports one."""

PassOptions = Mapping[str, Mapping[str, Any]]
"""Values of options by pass and name."""


def complete(
    items: Sequence[Item],
    catalogue: Catalogue,
    given: PassOptions | None = None,
    *,
    may_run: bool = True,
    with_data: bool = False,
) -> list[Pass]:
    """The named passes and all that they need; with data also what makes them better, if data are run.

    Without ``may_run`` there is none that runs the model. ``given`` are options that the pipeline text does not set.

    Raises:
        PipelineError: a pass that does not exist, or one is named that must run the model and may not.
    """
    given = given or {}
    chosen: dict[str, Pass] = {}
    for item in items:
        if item.name not in catalogue:
            near = get_close_matches(item.name, list(catalogue), 1)
            hint = f"; did you mean '{near[0]}'?" if near else "; 'nnea-graph passes' lists them"
            raise PipelineError(f"there is no pass '{item.name}'{hint}")
        if not may_run and _runs(catalogue[item.name](), catalogue):
            raise PipelineError(
                f"pass '{item.name}' needs the model to be run; leave --no-run out (in Python may_run=False)"
            )
        chosen[item.name] = build(catalogue[item.name](), item.options, given.get(item.name))
    if all(item.added for item in items):
        for name, load in catalogue.items():
            if name not in chosen and load().default and (may_run or not _runs(load(), catalogue)):
                chosen[name] = build(load(), {}, given.get(name))
    return _with_needed(chosen, catalogue, given, with_data=may_run and with_data)


def _runs(kind: type[Pass], catalogue: Catalogue) -> bool:
    """Tells whether a pass, or one that it needs, runs the model."""
    if kind.runs_model:
        return True
    providers = (load() for load in catalogue.values())
    needed = {key.name for key in kind.requires}
    return any(_runs(each, catalogue) for each in providers if needed & {key.name for key in each.provides})


def _with_needed(
    chosen: dict[str, Pass], catalogue: Catalogue, given: PassOptions, *, with_data: bool
) -> list[Pass]:
    """The passes, and those of the facts that they need; with data also of those that only data make worth using."""
    provided = {key.name for each in chosen.values() for key in each.provides}
    needed = [key.name for each in chosen.values() for key in _wanted(each, with_data=with_data)]
    while needed:
        key = needed.pop()
        if key in provided:
            continue
        for name in _loaded_first(catalogue):
            if any(given_key.name == key for given_key in catalogue[name]().provides):
                chosen[name] = build(catalogue[name](), {}, given.get(name))
                provided |= {given_key.name for given_key in chosen[name].provides}
                needed += [required.name for required in _wanted(chosen[name], with_data=with_data)]
                break
    return list(chosen.values())


def _loaded_first(catalogue: Catalogue) -> list[str]:
    """Who needs a fact has imported its key, and so the pass that gives it: no other is imported to look for it."""
    loaded = {getattr(kind, "name", "") for kind in Pass.__subclasses__()}
    return sorted(catalogue, key=lambda name: name not in loaded)


def _wanted(each: Pass, *, with_data: bool) -> tuple[Key[Any], ...]:
    return (*each.requires, *each.uses) if with_data else each.requires
