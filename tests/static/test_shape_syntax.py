"""Input shapes as people write them."""

from __future__ import annotations

import pytest

from nnea_graph.errors import UsageError
from nnea_graph.static.shape_syntax import InputShape, parse_input_shape


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("x:1,3,224,224", InputShape("x", None, (1, 3, 224, 224))),
        ("x:[1,3,224,224]", InputShape("x", None, (1, 3, 224, 224))),
        ("x:1x3x224x224", InputShape("x", None, (1, 3, 224, 224))),
        ("x:f32:1x3x224x224", InputShape("x", "float32", (1, 3, 224, 224))),
        ("1,3,224,224", InputShape(None, None, (1, 3, 224, 224))),
        ("[7]", InputShape(None, None, (7,))),
        ("7", InputShape(None, None, (7,))),
        ("x:[]", InputShape("x", None, ())),
        ("x:", InputShape("x", None, ())),
        ("x:1,", InputShape("x", None, (1,))),
        ("x: [ 1 , 2 ]", InputShape("x", None, (1, 2))),
        ("images:0:1,2", InputShape("images:0", None, (1, 2))),
        ("a:b:I64:2", InputShape("a:b", "int64", (2,))),
        ("f32:2", InputShape("f32", None, (2,))),
        (":f32:2", InputShape(":f32", None, (2,))),
    ],
)
def test_five_grammars_are_read_from_the_right(text: str, read: InputShape) -> None:
    assert parse_input_shape(text) == read


@pytest.mark.parametrize(
    "text", ["", "[", "x:[1", "x:1]", "x:1.5", "x:-1", "x:1 2", "x:,1", "x:axb", "x:٣", "x:" + "9" * 20]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--input-shape"):
        parse_input_shape(text)
