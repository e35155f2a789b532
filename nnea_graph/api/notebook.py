"""A notebook, the one place where a plot can appear by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any


def notebook_display() -> Callable[..., Any] | None:
    """IPython's ``display`` where this runs in a notebook; None in a terminal, IPython's own included."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    if getattr(running, "kernel", None) is None:
        return None
    display: Callable[..., Any] = sys.modules["IPython.display"].display
    return display


def show_plots(figures: Callable[[], Iterable[object]], elsewhere: str) -> None:
    """Show the figures in a notebook; where there is none, print a line that tells how to get them."""
    display = notebook_display()
    if display is None:
        sys.stdout.write(f"{elsewhere}\n")
        return
    for figure in figures():
        display(figure)
