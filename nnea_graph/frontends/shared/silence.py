"""Keeps what other people's libraries print, log and warn of out of the program's own output."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Nothing reaches stdout, stderr or a log meanwhile; gives the warnings, for whoever reads them."""
    before = logging.root.manager.disable
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            redirect_stdout(StringIO()),
            redirect_stderr(StringIO()),
        ):
            warnings.simplefilter("always")
            logging.disable(logging.CRITICAL)
            yield caught
    finally:
        logging.disable(before)
