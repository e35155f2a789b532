"""The command line: arguments in, exit code out. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from nnea_graph import __version__
from nnea_graph.commands import options
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
    """Ending that an exception of the system or of an import comes down to."""
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


@cli.command(cls=_LimitsHelp)
@click.argument("model")
@options.DIMS
@options.SHAPES
@options.data(
    "Calibration data: .npz, .npy, a folder of arrays, test_data_set_* or images, or file.py:function."
)
@options.PREPROCESS
@options.SAMPLES
@options.batch_size(8)
@options.seed("Seed of the random inputs.")
@options.time_limit("Time in which the model may be run, over all passes.")
@options.no_run()
@options.PASSES
@options.formats(
    "text (default), json, html, md, sarif … (nnea-graph formats), to stdout or a file; may be repeated."
)
@options.output("DIR", "Folder for report.json, run.json, the pictures and plots.")
@click.option("--path-colors", is_flag=True, help="Color each of the best paths in pathways.svg.")
@options.force("Overwrite an existing report, folder or file.")
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
@options.TOP
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
@options.LIMITS
@options.ALLOW_EXTERNAL
@options.FAIL_ON
@options.POLICY
@options.baseline("REPORT", "Earlier report.json to compare with.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even if a finding is an error.")
@options.QUIET
@options.verbose("Print time and memory of each pass on stderr; show all rows and conventions.")
@options.NO_PROGRESS
@options.DEBUG
def run(model: str, **given: Any) -> int:
    """Analyze MODEL: an .onnx, .pt2, .keras, .h5 or .tflite file, SavedModel FOLDER[:SIGNATURE], or module:callable."""
    from nnea_graph.commands.run import run_model  # noqa: PLC0415 - help and errors cost no imports

    return run_model(model, **given)


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
@options.data("Calibration data, split into parts for fitting, selection and measurement; see run --help.")
@options.output("OUT.onnx", "Output file of the pruned model.")
@click.option(
    "--plan-only",
    is_flag=True,
    help="Show only the plan: coupled channel groups, affected operators and savings.",
)
@options.no_run("With --plan-only: do not run the model, measure no latency.")
@options.force()
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
@options.SAMPLES
@options.PREPROCESS
@options.batch_size(32)
@options.seed("Seed of all random choices.")
@options.DIMS
@options.SHAPES
@options.FORMAT
@options.LIMITS
@options.ALLOW_EXTERNAL
@options.QUIET
@options.NO_PROGRESS
@options.DEBUG
def prune_command(model: str, **given: Any) -> int:
    """Prune channels of MODEL to a target budget, refit the consumers by least squares, and verify the result.

    Exit 1 also if a target is not met; the report then names the nearest model found.
    """
    if given["plan_only"]:
        from nnea_graph.commands.prune import plan_model  # noqa: PLC0415 - as below

        return plan_model(model, **given)
    from nnea_graph.commands.prune import prune_model  # noqa: PLC0415 - help and errors cost no imports

    return prune_model(model, **given)


@cli.command("export")
@click.argument("source")
@options.output("MODEL.onnx", "Output file of the exported model.", required=True)
@options.data("Source of the example inputs.")
@options.PREPROCESS
@options.SHAPES
@options.force("Overwrite an existing output file; never the source.")
@options.LIMITS
@options.QUIET
@options.DEBUG
def export_command(source: str, **given: Any) -> int:
    """Export SOURCE, a PyTorch, TensorFlow or Keras model, as an .onnx file that keeps module and parameter names.

    Exit 1 if the outputs of the file differ from those of the source.
    """
    from nnea_graph.commands.export import export_model  # noqa: PLC0415 - help and errors cost no imports

    return export_model(source, **given)


@cli.command("annotate")
@click.argument("model")
@options.output("OUT.onnx", "Output file of the annotated model.", required=True)
@options.DIMS
@options.SHAPES
@options.data("Calibration data; see run --help.")
@options.PREPROCESS
@options.SAMPLES
@options.no_run()
@options.PASSES
@options.force()
@options.LIMITS
@options.QUIET
@options.DEBUG
def annotate_command(model: str, **given: Any) -> int:
    """Analyze MODEL and write it with the results in its metadata, under nnea_graph.; the graph is unchanged.

    Viewers such as Netron show them. Exit 1 if a finding is an error.
    """
    from nnea_graph.commands.annotate import annotate_model  # noqa: PLC0415 - help and errors cost no imports

    return annotate_model(model, **given)


@cli.command()
def passes() -> None:
    """List the passes with their requirements, results and options."""
    from nnea_graph.commands.passes import list_passes  # noqa: PLC0415

    list_passes()


@cli.command(name="operators")
@click.argument("name", required=False)
@options.FORMAT
def operators_command(name: str | None, **given: Any) -> None:
    """List which operators have rules for cost, shape, channels, pruning and more: all, or those called NAME."""
    from nnea_graph.commands.operators import list_operators  # noqa: PLC0415

    list_operators(name, given["format"])


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
@options.formats("See nnea-graph formats.")
@options.TOP
@options.verbose("Sections in full.")
@options.force("Overwrite files.")
@options.FAIL_ON
@options.POLICY
@options.baseline("REPORT", "Earlier report.json to compare with.")
@options.DEBUG
def render_command(report: Path, **given: Any) -> int:
    """Render REPORT, a report.json, in another format; gates are checked again."""
    from nnea_graph.commands.render import render_report  # noqa: PLC0415 - help and errors cost no imports

    return render_report(report, **given)


@cli.command(name="formats")
def formats_command() -> None:
    """List the formats of a report."""
    from nnea_graph.commands.render import list_formats  # noqa: PLC0415 - help and errors cost no imports

    list_formats()


@cli.command(name="audit")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@options.POLICY
@options.baseline("PATH", "Earlier report.json, or the folder of the reports of many models.")
@click.option("--update-baseline", is_flag=True, help="Make these reports the baseline, in its folder.")
@options.FAIL_ON
@options.output("DIR", "Folder of all results; goes on where it was.")
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
@options.time_limit("Seconds for one model.", 600.0)
@click.option(
    "--memory-limit",
    "memory_bytes",
    type=click.IntRange(0),
    default=0,
    metavar="BYTES",
    help="For one model (0: none).",
)
@options.formats("text, json, sarif, junit, gitlab, github, md.")
@options.data("What to run on; see run --help.")
@options.SAMPLES
@options.seed("Seed of the random inputs.", None)
@options.PASSES
@options.no_run()
@options.DIMS
@options.SHAPES
@options.LIMITS
@click.option("--today", metavar="DAY", help="Day that ignores expire by (default: today, UTC).")
@options.force("Overwrite files of --format.")
@options.QUIET
@options.NO_PROGRESS
@options.DEBUG
def audit_command(paths: tuple[str, ...], **given: Any) -> int:
    """Check the models of every PATH (files, folders, globs, @list) against a policy.

    Exit 1 where one fails, 2 where one cannot be read or a gate is on what is not known.
    """
    from nnea_graph.commands.audit import audit_models, parse_day  # noqa: PLC0415 - help and errors cost no imports

    return audit_models(paths, **given | {"today": parse_day(given["today"])})


@cli.group(name="policy")
def policy_group() -> None:
    """Write, check or describe a policy."""


@policy_group.command(name="init")
@click.argument("model")
@options.output("FILE", "Policy file (default: stdout).")
@options.force("Overwrite the file.")
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
