"""Input shapes as people write them: five grammars, read from the right, as names may hold colons."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nnea_graph.errors import UsageError

_DIMS = re.compile(r"\[?\s*([0-9]{1,19}(?:\s*[,x]\s*[0-9]{1,19})*)\s*,?\s*\]?")
_DTYPES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16", "bool": "bool",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InputShape:
    """``name`` is None where the list stands alone, ``dtype`` where it is not given."""

    name: str | None
    dtype: str | None
    dims: tuple[int, ...]


def parse_input_shape(text: str) -> InputShape:
    """Read ``x:1,3,224,224``, ``x:[1,3,224,224]``, ``x:1x3x224x224``, ``x:f32:1x3x224x224`` or ``1,3,224,224``.

    >>> parse_input_shape("images:0:f32:1x3x224x224")
    InputShape(name='images:0', dtype='float32', dims=(1, 3, 224, 224))

    Raises:
        UsageError: it is none of these.
    """
    before, _, last = text.rpartition(":")
    match = _DIMS.fullmatch(last.strip())
    if match is None and last.strip() in {"[]", ""} and before:
        return InputShape(*_name(before), ())
    if match is None or (last.count("[") != last.count("]")):
        raise UsageError(
            f"--input-shape '{text}': write name:1,3,224,224, name:[1,3,224,224], name:1x3x224x224,"
            " name:f32:1x3x224x224, or 1,3,224,224 for a single input"
        )
    dims = tuple(int(number) for number in re.findall(r"\d+", match[1]))
    return InputShape(*_name(before), dims)


def _name(text: str) -> tuple[str | None, str | None]:
    name, _, dtype = text.rpartition(":")
    if name and dtype.lower() in _DTYPES:
        return name, _DTYPES[dtype.lower()]
    return text or None, None
