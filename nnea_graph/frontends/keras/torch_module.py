"""A Keras model on torch as a module of torch: Keras's layers as its modules, Keras's weights as its parameters.

Keras calls its layers past torch, so that an exporter would see one module without parts, and its weights as constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from nnea_graph.frontends.keras.call import KerasCall, called_by
from nnea_graph.frontends.keras.facts import layers_of, named_weights
from nnea_graph.frontends.tf2onnx.imports import imported

if TYPE_CHECKING:
    import torch


def mirror(model: Any, call: KerasCall) -> torch.nn.Module:
    """A module that runs the model for inference, on tensors in the order of the call's inputs.

    Its parameters are the model's own, those that no gradient makes its buffers.
    """
    root = _module_like(model)
    scopes: dict[str, torch.nn.Module] = {"": root}
    running: dict[int, tuple[Any, torch.nn.Module]] = {}
    for path, layer in layers_of(model):
        outer, _, name = path.rpartition("/")
        scopes[path] = _module_like(layer)
        vars(scopes[path])["forward"] = layer.call
        scopes[outer].add_module(_free(scopes[outer], name), scopes[path])
        if hasattr(layer, "epsilon"):
            vars(scopes[path])["eps"] = float(layer.epsilon)  # where torch has that of a normalization
        running.setdefault(
            id(layer), (layer, scopes[path])
        )  # a shared layer runs under the first of its paths
    places = list(_register(model, scopes))

    def forward(*tensors: Any) -> list[Any]:
        values = [(weight, getattr(scope, name)) for weight, scope, name in places]
        stateless = imported("keras", "a Keras model").StatelessScope
        through = [
            (layer, partial(scope)) for layer, scope in running.values()
        ]  # wraps() writes on what it is given
        with called_by(through), stateless(state_mapping=values):
            return call.run(model, tensors)

    _sign(root, forward, [each.name for each in call.inputs])
    return root


def _module_like(layer: Any) -> torch.nn.Module:
    """A module without anything in it, of a class by the name of the layer's."""
    import torch  # noqa: PLC0415 - takes a second to import

    made: torch.nn.Module = type(type(layer).__name__, (torch.nn.Module,), {})()
    return made


def _sign(root: torch.nn.Module, run: Callable[..., Any], names: Sequence[str]) -> None:
    """Let the root's forward have a parameter for each input, by its name."""
    words: list[str] = []
    for name in names:
        words.append(_word(name, words))
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(word, kind) for word in words])

    def forward(*args: Any, **kwargs: Any) -> Any:
        return run(*signature.bind(*args, **kwargs).arguments.values())

    forward.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks for
    vars(root)["forward"] = forward


def _word(name: str, taken: Sequence[str]) -> str:
    """The name, or what is nearest to it among those that Python takes.

    >>> _word("image:0", []), _word("class", []), _word("a.b", ["a_b"])
    ('image_0', 'class_', 'a_b_')
    """
    word = "".join(letter if letter.isalnum() else "_" for letter in name)
    if not word.isidentifier():
        word = f"_{word}"
    while iskeyword(word) or word in taken:
        word += "_"
    return word


def _free(module: torch.nn.Module, name: str) -> str:
    """A name that a module has not given to anything, in the letters that torch takes."""
    name = name.replace(".", "_") or "_"
    while hasattr(module, name):
        name += "_"
    return name


def _register(model: Any, scopes: dict[str, torch.nn.Module]) -> Iterator[tuple[Any, torch.nn.Module, str]]:
    """Put each weight under its layers; gives each once, with where it is."""
    made_fixed = {
        id(weight)
        for layer in (model, *(layer for _, layer in layers_of(model)))
        for weight in layer._non_trainable_variables  # noqa: SLF001 - as keras_facts tells buffers
    }
    seen: set[int] = set()
    for path, weight in named_weights(model):
        outer, _, name = path.rpartition("/")
        scope = scopes.get(outer, scopes[""])
        name = _free(scope, name)
        if id(weight) in made_fixed:
            scope.register_buffer(name, weight.value.detach())
        else:
            scope.register_parameter(name, weight.value)
        if id(weight) not in seen:
            seen.add(id(weight))
            yield weight, scope, name
