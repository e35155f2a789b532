"""Messages on stderr. That nobody can read it is no reason to fail: the exit code and the files still tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from click.exceptions import Exit

from nnea_graph.errors import OutputError


def say(text: str) -> None:
    """Write to stderr; where it is full or closed, what follows goes nowhere."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        drop(2)


@contextmanager
def reaching_standard_output() -> Iterator[None]:
    """Help and version are printed; a reader that has seen enough is no error.

    Raises:
        OutputError: standard output cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        drop(1)
        raise Exit(0) from None
    except OSError as error:
        drop(1)
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; give another place"
        ) from error


def drop(descriptor: int) -> None:
    """Let a standard stream lead nowhere, or Python would complain when it ends about what is still buffered."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
