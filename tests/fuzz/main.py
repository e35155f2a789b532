"""``python -m fuzz.main --mutants 20000`` (in the folder tests): mutants through the commands, faults told and kept."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import onnx
from hostile.support.running import Outcome, Program, check, serving

from fuzz.mutate import mutant

MODELS = Path(__file__).parents[2] / "models"
BASES = ("digits_mlp", "digits_cnn", "digits_transformer")
COMMANDS = (
    ("run", "--format", "json", "-q"),
    ("prune", "--plan-only", "--align", "4", "--rounds", "2", "--format", "json", "-q"),
    ("annotate", "-o", "out.onnx", "--force", "-q"),
    ("run", "-o", "out", "--force", "-q"),
)
IMPORTED = (
    "nnea_graph.commands.prune",
    "nnea_graph.commands.annotate",
    "nnea_graph.rewrite.preview.plan",
    "nnea_graph.render.text.report",
    "nnea_graph.render.plots.figure",
    "nnea_graph.passes.activations",
    "nnea_graph.runtime.observe.collect",
)


@dataclass(frozen=True)
class Fault:
    """A mutant that the program does not stand."""

    seed: str
    command: str
    what: str


def faults(mutants: int, seed: int, keep: Path | None = None) -> Iterator[Fault | None]:
    """For each mutant what is wrong, None where all is right; each goes through one of the commands."""
    bases = {name: onnx.load(MODELS / f"{name}.onnx") for name in BASES}
    numbers = count(seed * 1_000_003)
    with serving(*IMPORTED) as server, tempfile.TemporaryDirectory(prefix="nnea-fuzz-") as folder:
        program = Program(server, Path(folder))
        for _ in range(mutants):
            number = next(numbers)
            base, command = BASES[number % 3], COMMANDS[number // 3 % 4]
            raw = mutant(bases[base], f"{base}-{number}").SerializeToString()
            what = _fault(program, command, raw)
            if what and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{number}-{command[0]}.onnx").write_bytes(raw)
            yield Fault(f"{base}-{number}", " ".join(command), what) if what else None


def _fault(program: Program, command: tuple[str, ...], raw: bytes) -> str:
    path = program.save(raw)
    try:
        outcome = program(command[0], path, *command[1:], may_run=True)
        _check(outcome, command, path)
    except (AssertionError, ValueError) as error:
        return f"{type(error).__name__}: {str(error)[:1500]}"
    return ""


def _check(outcome: Outcome, command: tuple[str, ...], path: Path) -> None:
    if "json" in command and command[0] == "run":
        check(outcome, path)
        return
    assert outcome.code in {0, 1, 2}, outcome.stderr or outcome.code
    assert "Traceback" not in outcome.stderr, outcome.stderr
    lines = outcome.stderr.count("\n")
    assert lines == (1 if outcome.code == 2 else 0), outcome.stderr
    if outcome.code < 2 and "-o" in command and command[0] == "run":
        report = json.loads((path.parent / "out" / "report.json").read_bytes())
        assert [each for each in report["passes"] if each["status"] != "ok"] == []


def main() -> None:
    """Run the fuzzer by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for mutants with a fault")
    arguments = parser.parse_args()
    start, found = time.monotonic(), 0
    for number, fault in enumerate(faults(arguments.mutants, arguments.seed, arguments.keep), 1):
        if fault:
            found += 1
            sys.stdout.write(f"{fault.seed} {fault.command}\n    {fault.what}\n")
        if fault or number % 100 == 0:
            sys.stdout.write(f"{number:,} mutants, {found} faults, {time.monotonic() - start:.0f} s\n")
            sys.stdout.flush()
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
