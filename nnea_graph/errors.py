"""Every exception of the package, and the exit code that each one ends the program with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_REASON = 400
"""Characters of somebody else's message."""


class NneaError(Exception):
    """Base of all; ``str(error)`` is one line that names what, where and what to do."""

    exit_code = 2


class UsageError(NneaError):
    """An option or argument that cannot be meant as given."""


class PipelineError(UsageError):
    """Pipeline text, or an option of a pass in it, that cannot be meant as given.

    ``given_as`` is what the user calls that text: the argument ``passes``, or an option of the command line.
    """

    given_as = "passes"

    def __str__(self) -> str:
        return f"{self.given_as}: {super().__str__()}"


class ModelError(NneaError):
    """A model file that cannot be read or makes no sense."""


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Let what is wrong with a model begin with the model's path."""
    try:
        yield
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from error


@contextmanager
def blaming(what: object, kind: type[NneaError]) -> Iterator[None]:
    """Let an exception in the user's own code be an error of this kind, in one line, and what it prints go to stderr.

    An exit is no way out for it, and what else is no ``Exception`` but an interruption.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (NneaError, KeyboardInterrupt):
        raise
    except BaseException as error:
        reason = " ".join(str(error).split())[:_REASON]
        raise kind(f"{what} fails: {type(error).__name__}: {reason}") from error


class ExternalDataError(ModelError):
    """External data whose place or size breaks a rule."""


class LimitError(ModelError):
    """A model over one of the stated limits."""


class OperatorError(ModelError):
    """An operator whose attributes or shapes contradict its definition."""


class DataError(NneaError):
    """Data that does not fit the model."""


class RunError(NneaError):
    """A model that onnxruntime cannot build or run, or not within the limits."""


class OutputError(NneaError):
    """A result that could not be written."""


class InterruptedRunError(NneaError):
    """The user has stopped the program."""

    exit_code = 130


class PassError(NneaError):
    """A pass that broke its contract: a fault in the program, not in the model."""

    exit_code = 3
