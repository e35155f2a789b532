"""Determines which function of a TensorFlow object is the model: a signature, its call, or the only one that it has."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from nnea_graph.errors import ModelError
from nnea_graph.frontends.shared.interface import derives_from

_FUNCTIONS = (
    "tensorflow.python.eager.polymorphic_function.polymorphic_function.Function",
    "tensorflow.python.eager.polymorphic_function.concrete_function.ConcreteFunction",
)
_USUAL = "serving_default"
_CALL = "__call__"

Functions = dict[str, Callable[..., Any]]


def is_function(source: object) -> bool:
    """Tells whether it is a function that TensorFlow traces or has traced."""
    return derives_from(source, *_FUNCTIONS)


def chosen(root: Any, wanted: str = "") -> Callable[..., Any]:
    """The function of that name; without a name the usual signature, the call, or the only one.

    Raises:
        ModelError: there is none, or there are several to choose from.
    """
    if is_function(root):
        function: Callable[..., Any] = root
        return function
    signatures: Functions = dict(getattr(root, "signatures", None) or {})
    functions = _functions(root)
    if wanted:
        if wanted not in functions | signatures:
            raise ModelError(
                f"there is no signature '{wanted}'; there is {_listed({**signatures, **functions})}"
            )
        return (functions | signatures)[wanted]
    likely = signatures or functions
    usual = likely.get(_USUAL) or likely.get(_CALL)
    if usual is not None:
        return usual
    if not likely:
        raise ModelError(
            "there is no function that TensorFlow has traced or could trace; give the model a __call__ or a "
            "tf.function, or name some: tf.saved_model.save(model, folder, signatures=…)"
        )
    if len(likely) > 1:
        raise ModelError(
            f"there are several signatures and none is '{_USUAL}': {_listed(likely)}; give one, as "
            f"FOLDER:{next(iter(likely))}, or in Python the function itself"
        )
    return next(iter(likely.values()))


def _functions(root: Any) -> Functions:
    """Functions by attribute: those that TensorFlow traces, and a call in Python."""
    names = [
        name for name in dict.fromkeys((*vars(root), *dir(type(root)))) if name[:1] != "_" or name == _CALL
    ]
    found = {name: getattr(root, name) for name in names if is_function(inspect.getattr_static(root, name))}
    return {_CALL: root.__call__, **found} if callable(root) else found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
