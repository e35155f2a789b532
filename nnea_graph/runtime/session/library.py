"""The one place where onnxruntime is imported: late, and without its telemetry."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

_OPT_OUT = "ORT_DISABLE_TELEMETRY"


@cache
def onnxruntime() -> Any:
    """The library, for this process; it takes longer to import than most analyses.

    Loaded as it is, it writes an id of the machine below the home folder and reports to its makers. Only the
    variable, set before, keeps it from both; the call is for a program that has loaded it already.
    """
    os.environ[_OPT_OUT] = "1"  # and of the processes that this one starts
    import onnxruntime as library  # noqa: PLC0415 - see above

    library.disable_telemetry_events()
    return library
