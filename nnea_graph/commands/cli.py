"""The command line: arguments in, exit code out. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from nnea_graph import __version__
from nnea_graph.commands.messages import reaching_standard_output, say
from nnea_graph.errors import InterruptedRunError, NneaError, PipelineError, RunError

_NO_MEMORY = re.compile("failed to map segment|[Cc]annot allocate memory|can't start new thread|bad_alloc")
"""In messages of the system and of libraries that are being loaded."""
_MODEL_HELP = """\b
Limits on untrusted models, each set by --limit name=number:
{limits}

\b
Exit: 0 done; 1 a finding is an error; 2 usage or input error;
3 internal error; 130 interrupted.
"""


def run_command_line(  # noqa: C901, PLR0911 - one way out a kind of ending
    arguments: Sequence[str],
) -> int:
    """Run a command; every way out gives an exit code, and an error one line on stderr."""
    debug = "--debug" in arguments
    try:
        code = cli.main(list(arguments), prog_name="nnea-graph", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        say(f"{error.format_message()}\n")
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except NneaError as error:
        if isinstance(error, PipelineError):
            error.given_as = "-p"
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)
    except SystemExit as error:  # nothing of ours: code that was run for a model or its data
        return _fail(
            f"code of the model or the data ends the program: sys.exit({error.code!r}); take it out", 2
        )
    except Exception as error:  # the last boundary: no traceback unless asked for
        if debug:
            raise
        if known := _ending(error):
            return _fail(str(known), known.exit_code)
        return _fail(f"internal error: {type(error).__name__}: {error}; --debug shows where", 3)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    from nnea_graph.render.sanitize import inert  # noqa: PLC0415 - only errors need it

    say(f"nnea-graph: error: {inert(message)}\n")
    return code


def _ending(error: Exception) -> NneaError | None:
    """What an exception of the system or of an import comes down to."""
    if any(isinstance(each, KeyboardInterrupt) for each in _causes(error)):
        return InterruptedRunError("interrupted")
    if any(isinstance(each, MemoryError) for each in _causes(error)) or _NO_MEMORY.search(str(error)):
        return RunError("out of memory; lower a limit (--limit) or run fewer passes (-p cost)")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came of."""
    known: BaseException | None = error
    while known is not None:
        yield known
        known = known.__cause__ or known.__context__


class _Command(click.Command):
    """Prints its help where that can be written, or says that it cannot."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with reaching_standard_output():
            return super().parse_args(ctx, args)


class _Commands(_Command, click.Group):
    """Takes an interruption before click does, which would print an empty line for it."""

    command_class = _Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted") from None


class _LimitsHelp(_Command):
    """Adds the limits, which live in one place, to the help text when it is asked for."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from nnea_graph.frontends.shared.limits import Limits  # noqa: PLC0415 - only help needs it

        rows = [f"  {name} = {value:,}" for name, value in Limits().items()]
        self.help = (self.help or "") + "\n\n" + _MODEL_HELP.format(limits="\n".join(rows))
        super().format_help_text(ctx, formatter)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="nnea-graph %(version)s")
def cli() -> None:
    """Analyze the cost, redundancy and importance of a trained neural network, and make it smaller."""


_FAIL_ON = click.option(
    "--fail-on",
    multiple=True,
    metavar="GATE",
    help="Exit 1 where this holds: macs>600M, or a finding of this severity: note, warning, error.",
)
_POLICY = click.option(
    "--policy", type=click.Path(path_type=Path), metavar="FILE", help="Policy to check (TOML)."
)
_BASELINE = click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="Earlier report.json to compare with.",
)


@cli.command(cls=_LimitsHelp)
@click.argument("model")
@click.option(
    "--dim", "dims", multiple=True, metavar="NAME=N", help="Number for a symbolic dim, e.g. batch=8."
)
@click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    metavar="[NAME:]SHAPE",
    help="Shape of an input: x:1,3,224,224, x:1x3x224x224, x:f32:1x3x224x224, or the list alone.",
)
@click.option(
    "--data",
    metavar="D",
    help="Calibration data: .npz, .npy, a folder of arrays, test_data_set_* or images, or file.py:function.",
)
@click.option("--preprocess", metavar="SPEC", help="Image preprocessing: imagenet, mnist, size=224,…")
@click.option("--samples", type=click.IntRange(1), help="Use only the first N samples.")
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Samples per run.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random inputs."
)
@click.option(
    "--time-limit",
    "seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Time in which the model may be run, over all passes.",
)
@click.option("--no-run", is_flag=True, help="Static analysis only: do not run the model.")
@click.option("-p", "--passes", metavar="PIPELINE", help="Passes to run, e.g. cost,weight_statistics.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="F[=PATH]",
    help="text (default), json, html, md, sarif … (nnea-graph formats), to stdout or a file; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for report.json, run.json, the pictures and plots.",
)
@click.option("--path-colors", is_flag=True, help="Color each of the best paths in pathways.svg.")
@click.option("--force", is_flag=True, help="Overwrite an existing report, folder or file.")
@click.option(
    "--training",
    type=click.Choice(["4x", "exact"]),
    default="4x",
    show_default=True,
    help="Convention for training FLOPs.",
)
@click.option(
    "--frozen", multiple=True, metavar="PATTERN", help="Frozen weights, operators or modules (not trained)."
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Maximum number of rows in the longest tables.",
)
@click.option("--top-k", type=click.IntRange(1, 10_000), metavar="N", help="Number of paths (default 10).")
@click.option(
    "--class",
    "sink_channel",
    type=click.IntRange(0),
    metavar="N",
    help="Only paths into this class: channel N of the output, or of --sink.",
)
@click.option("--sink", metavar="NAME", help="Only paths into this output, tensor or operator.")
@click.option(
    "--score",
    type=click.Choice(["flow", "importance"]),
    help="Path score: flow (default) or importance.",
)
@click.option("--limit", "limits", multiple=True, metavar="NAME=N", help="Change a limit, see below.")
@click.option(
    "--allow-external",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Allowed folder for links to external data (e.g. the Hugging Face cache).",
)
@_FAIL_ON
@_POLICY
@_BASELINE
@click.option("--exit-zero", is_flag=True, help="Exit 0 even if a finding is an error.")
@click.option("-q", "--quiet", is_flag=True, help="Print only data and errors.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Print time and memory of each pass on stderr; show all rows and conventions.",
)
@click.option("--no-progress", is_flag=True, help="Do not show progress on stderr.")
@click.option("--debug", is_flag=True, help="Show a traceback for errors.")
def run(model: str, **options: Any) -> int:
    """Analyze MODEL: an .onnx, .pt2, .keras, .h5 or .tflite file, SavedModel FOLDER[:SIGNATURE], or module:callable."""
    from nnea_graph.commands.run import run_model  # noqa: PLC0415 - help and errors cost no imports

    return run_model(model, **options)


@cli.command(name="prune", cls=_LimitsHelp)
@click.argument("model")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="T",
    help="Target budget, as a fraction of the original: params=0.3, macs=0.5, latency=0.5 (measured, one thread); "
    "or the largest accuracy drop: loss=0.5% (needs labels). May be repeated. exact: lossless removals only; needs no "
    "--data.",
)
@click.option(
    "--data",
    metavar="D",
    help="Calibration data, split into parts for fitting, selection and measurement; see run --help.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT.onnx",
    help="Output file of the pruned model.",
)
@click.option(
    "--plan-only",
    is_flag=True,
    help="Show only the plan: coupled channel groups, affected operators and savings.",
)
@click.option("--no-run", is_flag=True, help="With --plan-only: do not run the model, measure no latency.")
@click.option("--force", is_flag=True, help="Overwrite an existing output file; never the input model.")
@click.option(
    "--criterion",
    type=click.Choice(["reconstruction", "spread", "importance", "magnitude", "random"]),
    default="reconstruction",
    show_default=True,
    help="Criterion that ranks the channels.",
)
@click.option("--no-refit", is_flag=True, help="Do not refit the remaining weights.")
@click.option("--keep", multiple=True, metavar="PATTERN", help="Layers or modules that are not pruned.")
@click.option(
    "--align",
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Keep multiples of N channels; auto measures the block size of onnxruntime on this machine.",
)
@click.option(
    "--run-samples", type=click.IntRange(1), default=1, show_default=True, help="Samples per timed run."
)
@click.option(
    "--rounds", type=click.IntRange(2), default=30, show_default=True, help="Number of latency measurements."
)
@click.option("--samples", type=click.IntRange(1), help="Use only the first N samples.")
@click.option("--preprocess", metavar="SPEC", help="Image preprocessing: imagenet, mnist, size=224,…")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Samples per run.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random choices."
)
@click.option("--dim", "dims", multiple=True, metavar="NAME=N", help="Number for a symbolic dim.")
@click.option("--input-shape", "shapes", multiple=True, metavar="[NAME:]SHAPE", help="Shape of an input.")
@click.option(
    "--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Report format."
)
@click.option("--limit", "limits", multiple=True, metavar="NAME=N", help="Change a limit, see below.")
@click.option(
    "--allow-external",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Allowed folder for links to external data.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only data and errors.")
@click.option("--no-progress", is_flag=True, help="Do not show progress on stderr.")
@click.option("--debug", is_flag=True, help="Show a traceback for errors.")
def prune_command(model: str, **options: Any) -> int:
    """Prune channels of MODEL to a target budget, refit the consumers by least squares, and verify the result.

    Exit 1 also if a target is not met; the report then names the nearest model found.
    """
    if options["plan_only"]:
        from nnea_graph.commands.prune import plan_model  # noqa: PLC0415 - as below

        return plan_model(model, **options)
    from nnea_graph.commands.prune import prune_model  # noqa: PLC0415 - help and errors cost no imports

    return prune_model(model, **options)


@cli.command("export")
@click.argument("source")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="MODEL.onnx")
@click.option("--data", metavar="D", help="Source of the example inputs.")
@click.option("--preprocess", metavar="SPEC", help="Image preprocessing: imagenet, mnist, size=224,…")
@click.option("--input-shape", "shapes", multiple=True, metavar="[NAME:]SHAPE", help="Shape of an input.")
@click.option("--force", is_flag=True, help="Overwrite an existing output file; never the source.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=N", help="Change a limit, see run --help.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors.")
@click.option("--debug", is_flag=True, help="Show a traceback for errors.")
def export_command(source: str, **options: Any) -> int:
    """Export SOURCE, a PyTorch, TensorFlow or Keras model, as an .onnx file that keeps module and parameter names.

    Exit 1 if the outputs of the file differ from those of the source.
    """
    from nnea_graph.commands.export import export_model  # noqa: PLC0415 - help and errors cost no imports

    return export_model(source, **options)


@cli.command("annotate")
@click.argument("model")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.onnx")
@click.option("--dim", "dims", multiple=True, metavar="NAME=N", help="Number for a symbolic dim.")
@click.option("--input-shape", "shapes", multiple=True, metavar="[NAME:]SHAPE", help="Shape of an input.")
@click.option("--data", metavar="D", help="Calibration data; see run --help.")
@click.option("--preprocess", metavar="SPEC", help="Image preprocessing: imagenet, mnist, size=224,…")
@click.option("--samples", type=click.IntRange(1), help="Use only the first N samples.")
@click.option("--no-run", is_flag=True, help="Static analysis only: do not run the model.")
@click.option("-p", "--passes", metavar="PIPELINE", help="Passes to run, e.g. cost,weight_statistics.")
@click.option("--force", is_flag=True, help="Overwrite an existing output file; never the input model.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=N", help="Change a limit, see run --help.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors.")
@click.option("--debug", is_flag=True, help="Show a traceback for errors.")
def annotate_command(model: str, **options: Any) -> int:
    """Analyze MODEL and write it with the results in its metadata, under nnea_graph.; the graph is unchanged.

    Viewers such as Netron show them. Exit 1 if a finding is an error.
    """
    from nnea_graph.commands.annotate import annotate_model  # noqa: PLC0415 - help and errors cost no imports

    return annotate_model(model, **options)


@cli.command()
def passes() -> None:
    """List the passes with their requirements, results and options."""
    from nnea_graph.commands.passes import list_passes  # noqa: PLC0415

    list_passes()


@cli.command(name="operators")
@click.argument("name", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)
def operators_command(name: str | None, form: str) -> None:
    """List which operators have rules for cost, shape, channels, pruning and more: all, or those called NAME."""
    from nnea_graph.commands.operators import list_operators  # noqa: PLC0415

    list_operators(name, form)


@cli.command()
@click.argument("report", type=click.Choice(["run", "prune", "plan"]), default="run")
def schema(report: str) -> None:
    """Print the JSON Schema of a report: that of run, of prune, or of prune --plan-only."""
    from nnea_graph.render.json_schema import render_schema  # noqa: PLC0415
    from nnea_graph.render.output_files import standard_output  # noqa: PLC0415

    with standard_output() as stdout:
        stdout.write(render_schema(report))


@cli.command("explain")
@click.argument("word", required=False)
def explain_command(word: str | None) -> None:
    """Print the definition of a metric, column, verdict or rule (NNEA201); without WORD, list all words."""
    from nnea_graph.commands.explain import explain  # noqa: PLC0415

    explain(word)


@cli.command("help")
@click.argument("topic", required=False)
def help_command(topic: str | None) -> None:
    """Print a topic of the manual; without TOPIC, the list of topics."""
    from nnea_graph.commands.help import print_help  # noqa: PLC0415

    print_help(topic)


@cli.command(name="render")
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--format", "formats", multiple=True, metavar="F[=PATH]", help="See nnea-graph formats.")
@click.option(
    "--top", type=click.IntRange(1), default=10, show_default=True, help="Rows of the longest tables."
)
@click.option("-v", "--verbose", is_flag=True, help="Sections in full.")
@click.option("--force", is_flag=True, help="Overwrite files.")
@_FAIL_ON
@_POLICY
@_BASELINE
@click.option("--debug", is_flag=True, help="Show a traceback for errors.")
def render_command(report: Path, **options: Any) -> int:
    """Render REPORT, a report.json, in another format; gates are checked again."""
    from nnea_graph.commands.render import render_report  # noqa: PLC0415 - help and errors cost no imports

    return render_report(report, **options)


@cli.command(name="formats")
def formats_command() -> None:
    """List the formats of a report."""
    from nnea_graph.commands.render import list_formats  # noqa: PLC0415 - help and errors cost no imports

    list_formats()


@cli.command(name="audit")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@_POLICY
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Earlier report.json, or the folder of the reports of many models.",
)
@click.option("--update-baseline", is_flag=True, help="Make these reports the baseline, in its folder.")
@_FAIL_ON
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of all results; goes on where it was.",
)
@click.option(
    "-j", "--jobs", type=click.IntRange(1), metavar="N", help="Models at once (default: one a core)."
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What runs the models.",
)
@click.option("--address", metavar="ADDRESS", help="Ray cluster (default: one on this machine).")
@click.option(
    "--time-limit",
    "seconds",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds for one model.",
)
@click.option(
    "--memory-limit",
    "memory_bytes",
    type=click.IntRange(0),
    default=0,
    metavar="BYTES",
    help="For one model (0: none).",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="F[=PATH]",
    help="text, json, sarif, junit, gitlab, github, md.",
)
@click.option("--data", metavar="D", help="What to run on; see run --help.")
@click.option("--samples", type=click.IntRange(1), help="Use the first so many samples only.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the random inputs.")
@click.option("-p", "--passes", metavar="PIPELINE", help="Passes to run, e.g. cost,weight_statistics.")
@click.option("--no-run", is_flag=True, help="Keep onnxruntime out: static facts only.")
@click.option("--dim", "dims", multiple=True, metavar="NAME=N", help="Number for a symbolic dim.")
@click.option("--input-shape", "shapes", multiple=True, metavar="[NAME:]SHAPE", help="Shape of an input.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=N", help="Change a limit, see run --help.")
@click.option("--today", metavar="DAY", help="Day that ignores expire by (default: today, UTC).")
@click.option("--force", is_flag=True, help="Overwrite files of --format.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--no-progress", is_flag=True, help="No progress on stderr.")
@click.option("--debug", is_flag=True, help="Show a traceback for errors.")
def audit_command(paths: tuple[str, ...], **options: Any) -> int:
    """Check the models of every PATH (files, folders, globs, @list) against a policy.

    Exit 1 where one fails, 2 where one cannot be read or a gate is on what is not known.
    """
    from nnea_graph.commands.audit import audit_models, parse_day  # noqa: PLC0415 - help and errors cost no imports

    return audit_models(paths, **options | {"today": parse_day(options["today"])})


@cli.group(name="policy")
def policy_group() -> None:
    """Write, check or describe a policy."""


@policy_group.command(name="init")
@click.argument("model")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Policy file (default: stdout)."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def policy_init(model: str, output: Path | None, force: bool) -> int:  # noqa: FBT001 - click passes it
    """Write a policy with the present numbers of MODEL and 10 % head-room."""
    from nnea_graph.commands.policy import init_policy  # noqa: PLC0415 - help and errors cost no imports

    return init_policy(model, output, force=force)


@policy_group.command(name="check")
@click.argument("file", type=click.Path(path_type=Path))
def policy_check(file: Path) -> int:
    """Validate the policy FILE."""
    from nnea_graph.commands.policy import check_policy  # noqa: PLC0415 - help and errors cost no imports

    return check_policy(file)


@policy_group.command(name="schema")
def policy_schema() -> int:
    """Print the JSON Schema of a policy, for editors."""
    from nnea_graph.commands.policy import print_schema  # noqa: PLC0415 - help and errors cost no imports

    return print_schema()
