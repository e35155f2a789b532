"""Finds where the variables of a TensorFlow object lie: their paths along attributes, lists and dicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnea_graph.frontends.tf2onnx.imports import imported

_MOST_PATHS = 16
_DEEPEST = 100
"""Paths to one object, and parts of one: a stranger's file may nest so that there are more than anybody can list."""

_PRIVATE = "_"
_KERAS = "keras_api"
"""What Keras 2 has in its models and layers; it numbers them there, and calls them otherwise."""

_OWN = "tensorflow.python."
"""Modules whose classes only hold what others have made, or stand for classes that nobody knows any more."""


@dataclass(frozen=True, slots=True)
class Paths:
    """``variables`` are the paths by the id of a variable's handle, ``classes`` the class by path, "" if not known."""

    variables: Mapping[int, Sequence[str]] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)

    def names(self, handle: int) -> list[str]:
        """The paths that name a variable: one of a list alone does not."""
        return [path for path in self.variables.get(handle, ()) if not path.rpartition("/")[2].isdigit()]


def paths_of(root: object) -> Paths:
    """Paths that a module, or the object of a SavedModel, has under public names."""
    tf = imported("tensorflow", "a TensorFlow model")
    if not isinstance(root, tf.__internal__.tracking.Trackable):
        return Paths()
    variables: dict[int, list[str]] = {}
    classes: dict[str, str] = {}
    for path, each in _walk(root, tf.train.TrackableView(root)):
        if isinstance(each, tf.Variable):
            variables.setdefault(id(each.handle), []).append(path)
        else:
            classes[path] = "" if type(each).__module__.startswith(_OWN) else type(each).__name__
    return Paths(variables, classes)


def _walk(root: Any, view: Any) -> Iterator[tuple[str, Any]]:
    """Everything with its paths, an object under each of them, but never inside itself."""
    times: Counter[int] = Counter()
    waiting: list[tuple[str, Any, frozenset[int]]] = [("", root, frozenset())]
    while waiting:
        path, each, above = waiting.pop()
        if id(each) in above or times[id(each)] == _MOST_PATHS or len(above) > _DEEPEST:
            continue
        times[id(each)] += 1
        yield path, each
        children = view.children(each)
        if _KERAS in children:
            continue
        inside = [
            (f"{path}/{name}".lstrip("/"), child, above | {id(each)})
            for name, child in children.items()
            if not name.startswith(_PRIVATE)
        ]
        waiting += reversed(inside)
