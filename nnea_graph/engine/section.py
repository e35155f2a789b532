"""The facts of a pass as a table that every format of the report can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from numbers import Integral, Real
from typing import Any

from nnea_graph.graph import ModelGraph

Value = int | float | bool | str | None
"""What a cell holds; None is not known, and the row says why."""


@dataclass(frozen=True, slots=True)
class Column:
    """One fact. ``share`` and ``bytes`` are units that reports know how to write; others stand beside the name."""

    name: str = field(metadata={"doc": "key of its values in each row"})
    unit: str = field(default="", metadata={"doc": "unit of its numbers, empty for counts and text"})
    meaning: str = field(default="", metadata={"doc": "what it is, in one sentence"})


@dataclass(frozen=True, slots=True)
class FactRow:
    """Values by column, of one operator or of the model; a column that is left out does not apply."""

    values: Mapping[str, Value] = field(metadata={"doc": "by column; null is not known"})
    operator: str | None = field(
        default=None, metadata={"doc": "id of the operator, null for the whole model"}
    )
    reasons: Mapping[str, str] = field(
        default_factory=dict, metadata={"doc": "why a value is null, by column"}
    )


@dataclass(frozen=True, slots=True)
class FactSection:
    """Facts as a pass describes them; rows are shown in this order.

    >>> FactSection("Depth", (Column("depth"),), (FactRow({"depth": 12}),)).rows[0].values["depth"]
    12
    """

    title: str = field(metadata={"doc": "name of the section"})
    columns: Sequence[Column] = field(metadata={"doc": "the facts, in the order that they are shown"})
    rows: Sequence[FactRow] = field(metadata={"doc": "of the model and of operators"})


def checked(section: FactSection, graph: ModelGraph) -> FactSection:
    """The same with plain Python numbers and rows of the model first.

    Raises:
        ValueError: a column or a row is there twice, an operator or a column is not there, or a value is None without
            a reason, not finite, or no plain value.
    """
    names = [column.name for column in section.columns]
    _once("column", names)
    _once("operator", [row.operator for row in section.rows])
    rows = [_checked_row(row, names, graph) for row in section.rows]
    return replace(
        section, columns=list(section.columns), rows=sorted(rows, key=lambda row: row.operator is not None)
    )


def _once(what: str, names: Sequence[str | None]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            shown = "the model" if name is None else f"{what} '{name}'"
            raise ValueError(f"its section has {shown} {times} times")


def _checked_row(row: FactRow, names: Sequence[str], graph: ModelGraph) -> FactRow:
    place = "the model" if row.operator is None else f"operator '{row.operator}'"
    if row.operator is not None and row.operator not in graph.ids:
        raise ValueError(f"its section has a row of {place}, which the model does not have")
    for name in (*row.values, *row.reasons):
        if name not in names:
            raise ValueError(f"its section has no column '{name}', and a value for {place}")
    values = {name: _plain(row.values[name]) for name in names if name in row.values}
    for name, value in values.items():
        if value is None and not row.reasons.get(name):
            raise ValueError(f"its section gives no reason why '{name}' of {place} is None")
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"its section has {value} as '{name}' of {place}; give None and a reason")
    return replace(
        row, values=values, reasons={name: row.reasons[name] for name in values if values[name] is None}
    )


def _plain(value: Any) -> Value:
    if getattr(value, "shape", None) == ():  # a number of numpy's
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise ValueError(
        f"its section has a value of type {type(value).__name__}; give numbers, text, bool or None"
    )
