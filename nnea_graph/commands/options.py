"""Options that several commands have, each defined once, as decorators of click."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]
Option = Callable[[Command], Command]

MODEL_IS_KEPT = "Overwrite an existing output file; never the input model."

DIMS = click.option(
    "--dim", "dims", multiple=True, metavar="NAME=N", help="Number for a symbolic dim, e.g. batch=8."
)
SHAPES = click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    metavar="[NAME:]SHAPE",
    help="Shape of an input: x:1,3,224,224, x:1x3x224x224, x:f32:1x3x224x224, or the list alone.",
)
PREPROCESS = click.option(
    "--preprocess", metavar="SPEC", help="Image preprocessing: imagenet, mnist, size=224,…"
)
SAMPLES = click.option("--samples", type=click.IntRange(1), help="Use only the first N samples.")
PASSES = click.option(
    "-p", "--passes", metavar="PIPELINE", help="Passes to run, e.g. cost,weight_statistics."
)
LIMITS = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    help="Change a limit, e.g. nodes=1000; run --help lists them.",
)
ALLOW_EXTERNAL = click.option(
    "--allow-external",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Allowed folder for links to external data (e.g. the Hugging Face cache).",
)
FORMAT = click.option(
    "--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output format."
)
TOP = click.option(
    "--top",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Maximum number of rows in the longest tables.",
)
FAIL_ON = click.option(
    "--fail-on",
    multiple=True,
    metavar="GATE",
    help="Exit 1 where this holds: macs>600M, or a finding of this severity: note, warning, error.",
)
POLICY = click.option(
    "--policy", type=click.Path(path_type=Path), metavar="FILE", help="Policy to check (TOML)."
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print only data and errors.")
NO_PROGRESS = click.option("--no-progress", is_flag=True, help="Do not show progress on stderr.")
DEBUG = click.option("--debug", is_flag=True, help="Show a traceback for errors.")


def data(meaning: str) -> Option:
    """``--data`` of a command that takes it for its own purpose."""
    return click.option("--data", metavar="D", help=meaning)


def output(metavar: str, meaning: str, *, required: bool = False) -> Option:
    """``-o``, a file or a folder."""
    path = click.Path(path_type=Path)
    return click.option("-o", "--output", required=required, type=path, metavar=metavar, help=meaning)


def force(meaning: str = MODEL_IS_KEPT) -> Option:
    """``--force``."""
    return click.option("--force", is_flag=True, help=meaning)


def no_run(meaning: str = "Static analysis only: do not run the model.") -> Option:
    """``--no-run``."""
    return click.option("--no-run", is_flag=True, help=meaning)


def batch_size(default: int) -> Option:
    """``--batch-size``."""
    return click.option(
        "--batch-size", type=click.IntRange(1), default=default, show_default=True, help="Samples per run."
    )


def seed(meaning: str, default: int | None = 0) -> Option:
    """``--seed``; without a default, what is run has one."""
    return click.option("--seed", type=click.IntRange(0), default=default, show_default=True, help=meaning)


def time_limit(meaning: str, default: float | None = None) -> Option:
    """``--time-limit``."""
    seconds = click.FloatRange(0, min_open=True)
    return click.option(
        "--time-limit",
        "seconds",
        type=seconds,
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=meaning,
    )


def formats(meaning: str) -> Option:
    """``--format`` of a command that writes several, each to stdout or its file."""
    return click.option("--format", "formats", multiple=True, metavar="F[=PATH]", help=meaning)


def verbose(meaning: str) -> Option:
    """``-v``."""
    return click.option("-v", "--verbose", is_flag=True, help=meaning)


def baseline(metavar: str, meaning: str) -> Option:
    """``--baseline``."""
    return click.option("--baseline", type=click.Path(path_type=Path), metavar=metavar, help=meaning)
