"""The configuration of a Keras model with fewer channels in some of its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nnea_graph.errors import ModelError

Shapes = Mapping[str, tuple[int, ...]]
Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WeightShapeChange:
    """A layer of this class is to have weights of these shapes, by name; ``groups`` are those of a convolution."""

    class_name: str
    shapes: Shapes
    groups: int | None = None


def smaller_config(config: Config, changes: Mapping[str, WeightShapeChange]) -> Config:
    """A copy with the changes, by path of the layer.

    Raises:
        ModelError: a layer of a class whose numbers are not known; names it.
    """
    found = copy.deepcopy(config)
    _edit_layers(found, "", dict(changes))
    return found


def _edit_layers(config: Config, path: str, changes: Mapping[str, WeightShapeChange]) -> None:
    for entry in config["layers"]:
        # A layer is built for the shapes that it meets, not for those that it met.
        entry.pop("build_config", None)
        inner = entry["config"]
        name = path + str(inner.get("name", "")).replace("/", "_")
        if "layers" in inner:
            _edit_layers(inner, f"{name}/", changes)
        within = [each for each in changes if each.startswith(f"{name}/") and "layers" not in inner]
        if within:
            raise _unknown(within[0], changes[within[0]].class_name)
        if name in changes:
            _edit(inner, name, changes[name])


def _edit(config: Config, path: str, change: WeightShapeChange) -> None:
    rule = _RULES.get(change.class_name)
    if rule is None:
        raise _unknown(path, change.class_name)
    rule(config, change)
    if "use_bias" in config:
        config["use_bias"] = "bias" in change.shapes


def _unknown(path: str, class_name: str) -> ModelError:
    return ModelError(
        f"layer '{path}' ({class_name}) would lose channels, and it is not known how that is said of it; keep it"
        f" whole (--keep '{path}*'), or take the pruned ONNX model"
    )


def _channels(attribute: str, weight: str, axis: int) -> Callable[[Config, WeightShapeChange], None]:
    """A number that is the length of an axis of a weight."""

    def rule(config: Config, change: WeightShapeChange) -> None:
        config[attribute] = change.shapes[weight][axis]
        if "groups" in config and change.groups is not None:
            config["groups"] = change.groups

    return rule


def _nothing(config: Config, change: WeightShapeChange) -> None:
    """Takes as many as it meets."""
    del config, change


_RULES: Mapping[str, Callable[[Config, WeightShapeChange], None]] = {
    "Dense": _channels("units", "kernel", -1),
    "Embedding": _channels("output_dim", "embeddings", -1),
    **{f"Conv{rank}D": _channels("filters", "kernel", -1) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _channels("filters", "kernel", -2) for rank in (1, 2, 3)},
    **{f"SeparableConv{rank}D": _channels("filters", "pointwise_kernel", -1) for rank in (1, 2)},
    **{f"DepthwiseConv{rank}D": _nothing for rank in (1, 2)},
    "BatchNormalization": _nothing,
    "LayerNormalization": _nothing,
    "PReLU": _nothing,
}
"""By class of the layer. A normalization and a depthwise convolution have as many channels as they are given."""
