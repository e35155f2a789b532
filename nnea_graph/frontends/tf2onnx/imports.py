"""TensorFlow, Keras and tf2onnx, imported when they are used and kept silent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from nnea_graph.errors import ModelError, NneaError
from nnea_graph.frontends.shared.silence import quiet
from nnea_graph.frontends.shared.user_code import missing

_SILENCE = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Read when TensorFlow is loaded; oneDNN announces itself, and rounds in another order from run to run."""

_LONGEST = 400
_ADDED = re.compile(
    r"\x1b\[[0-9;]*m|"  # bold, for terminals
    r"\{\{.*?\}\} ?|"  # where in the graph
    r" ?\[Op:.*|"  # the operator again
    r" ?(Full object )?config[:=] ?\{.*|"  # of the whole model
    r" If you trust the source of the artifact.*"  # loads it without being safe, which is not on offer here
)
_RAISED = re.compile(r"\w+(Error|Exception): ")


def imported(module: str, what: str) -> ModuleType:
    """A module of TensorFlow, Keras or tf2onnx; ``what`` is what needs it.

    Raises:
        ModelError: it is not installed.
    """
    for name, value in _SILENCE.items():
        os.environ.setdefault(name, value)
    try:
        with quiet():
            return import_module(module)
    except ModuleNotFoundError as error:
        raise missing("tensorflow", what) from error


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Silence, and an exception of the libraries as one line that begins with ``what``."""
    try:
        with quiet():
            yield
    except NneaError:
        raise
    except Exception as error:  # exporters raise whatever they meet
        kind = type(error).__name__
        raise ModelError(f"{what}: {kind}: {_reason(str(error)).removeprefix(f'{kind}: ')}") from error


def _reason(message: str) -> str:
    """The first sentences, without the nodes, arguments and configurations that TensorFlow and Keras add."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if lines and lines[0].startswith("in user code"):  # a traceback, and what was raised at its end
        raised = [place for place, line in enumerate(lines) if _RAISED.match(line)]
        lines = lines[raised[-1] :] if raised else lines
    kept: list[str] = []
    for line in lines:
        if kept and line.startswith(("Arguments received", "Call arguments", "[[", "Stack trace", "File ")):
            break
        kept.append(line)
    text = _ADDED.sub("", " ".join(" ".join(kept).split())).rstrip(". ")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
