"""The operators that onnx defines, each at its newest version."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import defs


def defined_operators() -> Mapping[tuple[str, str], bool]:
    """Tells whether onnx infers the shapes of each operator, by domain ("" is ai.onnx) and name."""
    return {
        (schema.domain, schema.name): schema.has_type_and_shape_inference_function
        for schema in defs.get_all_schemas()
    }
