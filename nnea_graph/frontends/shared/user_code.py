"""``package.module:callable`` and ``file.py:callable``: the user's own code as a model."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from nnea_graph.errors import ModelError, blaming
from nnea_graph.frontends.shared.saved_model_path import is_saved_model

_SPEC = re.compile(r"(?P<module>.+):(?P<name>[A-Za-z_]\w*)")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_EXTRAS = {
    "torch": "torch",
    "onnxscript": "torch",
    "onnx_ir": "torch",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
}
"""Extra of this package that installs a module which user code may lack."""


def names_a_callable(text: str) -> bool:
    """Whether a text is ``package.module:callable`` or ``file.py:callable`` and no model's path of that very name.

    >>> names_a_callable("train.py:make_model"), names_a_callable("model.onnx")
    (True, False)
    """
    found = _SPEC.fullmatch(text)
    if found is None or Path(text).exists() or is_saved_model(Path(text)):
        return False
    return found["module"].endswith(".py") or _DOTTED.fullmatch(found["module"]) is not None


def called(text: str) -> object:
    """Result of the callable; a model that is no factory is given as it is.

    The user's own code is run, with the current folder and the folder of the file to import from. What it prints
    goes to stderr.

    Raises:
        ModelError: the module or the name is not there, or the code fails; one line.
    """
    found = _SPEC.fullmatch(text)
    if found is None:
        raise ModelError(f"'{text}' is no package.module:callable")
    with _their_fault(text):
        module = _module(found["module"])
        if not hasattr(module, found["name"]):
            raise ModelError(f"{text}: there is no '{found['name']}' in {found['module']}")
        made = getattr(module, found["name"])
        return made() if _is_factory(made) else made


def _is_factory(made: object) -> bool:
    """A function or a class; a live model can be called as well, but is one already."""
    return isinstance(made, type) or (callable(made) and hasattr(made, "__code__"))


def _module(name: str) -> ModuleType:
    if not name.endswith(".py"):
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return importlib.import_module(name)
    path = Path(name)
    if not path.is_file():
        raise ModelError(f"there is no file {name}")
    module_name = f"_nnea_graph_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up there
    sys.path.append(str(path.parent.absolute()))  # for what the file imports from beside it
    spec.loader.exec_module(module)
    return module


@contextmanager
def _their_fault(text: str) -> Iterator[None]:
    """Fault in the user's code, as one line; what could be installed, where it lacks a module."""
    with blaming(text, ModelError):
        try:
            yield
        except ModuleNotFoundError as error:
            raise ModelError(f"{text}: {error}{_advice(error.name or '')}") from error


def _advice(module: str) -> str:
    extra = _EXTRAS.get(module.partition(".")[0])
    return f"; pip install 'nnea-graph[{extra}]'" if extra else ""


def missing(framework: str, what: str) -> ModelError:
    """The error of a frontend whose framework is not installed."""
    return ModelError(
        f"{what} needs {framework}, which is not installed: pip install 'nnea-graph[{_EXTRAS[framework]}]'"
    )
