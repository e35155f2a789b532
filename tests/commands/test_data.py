"""The command line on data of every form: the same numbers out of each, and data errors in one line with exit 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.support.models import model, op, tensor, typed
from hostile.support.running import Outcome, Program, check
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

Array = NDArray[Any]

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3)).astype(np.uint8)
X = np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)
WEIGHT = np.random.default_rng(1).standard_normal((4, 3, 1, 1)).astype(np.float32)
MODEL = model(
    [op("Conv", ["x", "w"], ["h"], name="conv"), op("Relu", ["h"], ["y"])],
    [typed("x", "batch", 3, "height", "width")],
    weights=[tensor("w", WEIGHT)],
)


def run(program: Program, *options: str | Path) -> Outcome:
    path = program.save(MODEL)
    outcome = program("run", path, "--format", "json", *options, may_run=True)
    check(outcome, path)
    return outcome


def expected(samples: Array) -> list[float]:
    """Importance by input channel."""
    means = np.abs(samples.astype(np.float64)).mean((0, 2, 3))
    sums: list[float] = (np.abs(WEIGHT.astype(np.float64)).sum((0, 2, 3)) * means).tolist()
    return sums


def by_channel(outcome: Outcome) -> list[float]:
    (layer,) = outcome.report["layers"]
    sums: list[float] = layer["channels"]["input_importance"]
    return sums


def npz(folder: Path) -> str:
    np.savez(folder / "d.npz", x=X, labels=np.zeros(6, np.int64))
    return "d.npz"


def npz_of_other_names(folder: Path) -> str:
    np.savez(folder / "d.npz", images=X)
    return "d.npz"


def npy(folder: Path) -> str:
    np.save(folder / "d.npy", X)
    return "d.npy"


def files(folder: Path) -> str:
    (folder / "d").mkdir()
    for number, part in enumerate(np.split(X, 3)):
        np.savez(folder / "d" / f"{number}.npz", x=part)
    return "d"


def sets(folder: Path) -> str:
    for number, part in enumerate(np.split(X, 2)):
        at = folder / "d" / f"test_data_set_{number}"
        at.mkdir(parents=True)
        (at / "input_0.pb").write_bytes(numpy_helper.from_array(part, "x").SerializeToString())
    return "d"


def pictures(folder: Path) -> str:
    for number, pixels in enumerate(PIXELS):
        at = folder / "d" / ("cat" if number % 2 else "dog")
        at.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(at / f"{number}.png")
    return "d"


def function(folder: Path) -> str:
    np.save(folder / "kept.npy", X)
    (folder / "mine.py").write_text(
        "import numpy as np\nfrom pathlib import Path\n\n"
        "def batches():\n    x = np.load(Path(__file__).with_name('kept.npy'))\n"
        "    yield {'x': x[:4]}\n    yield {'x': x[4:]}\n"
    )
    return "mine.py:batches"


FORMS: dict[str, tuple[Callable[[Path], str], list[str]]] = {
    "npz": (npz, []),
    "npz-by-position": (npz_of_other_names, []),
    "npy": (npy, []),
    "folder-of-npz": (files, []),
    "test-data-sets": (sets, []),
    "images": (pictures, ["--preprocess", "scale=255"]),
    "function": (function, []),
}


@pytest.mark.parametrize(("make", "options"), FORMS.values(), ids=FORMS)
def test_data_of_every_form_give_the_same_numbers(
    program: Program, make: Callable[[Path], str], options: list[str]
) -> None:
    outcome = run(program, "--data", make(program.folder), *options)
    assert outcome.code == 0, outcome.stderr
    report = outcome.report
    assert (report["data"]["samples"], report["data"]["synthetic"], report["data"]["not_run"]) == (
        6,
        False,
        "",
    )
    assert by_channel(outcome) == pytest.approx(expected(X), rel=1e-5)
    assert not [each for each in report["findings"] if each["rule"] == "NNEA108"]


def test_dims_come_from_the_data_and_are_not_assumed(program: Program) -> None:
    report = run(program, "--data", npz(program.folder)).report
    assert report["dims"] == {"batch": 1, "height": 5, "width": 7}
    assert report["assumed_dims"] == ["batch"]  # costs are those of one sample, whatever the data are
    assert report["model"]["inputs"][0]["shape"] == [1, 3, 5, 7]
    assert report["totals"]["macs"] == 3 * 4 * 5 * 7


def test_what_the_user_sets_wins_over_the_data(program: Program) -> None:
    report = run(program, "--data", npz(program.folder), "--dim", "width=9").report
    assert report["dims"] == {"batch": 1, "height": 5, "width": 9}
    assert report["totals"]["macs"] == 3 * 4 * 5 * 9
    assert report["data"]["samples"] == 6


@pytest.mark.parametrize("batch_size", ["1", "4", "100"])
def test_batches_of_any_size_give_the_same_numbers(program: Program, batch_size: str) -> None:
    outcome = run(program, "--data", npz(program.folder), "--batch-size", batch_size)
    assert by_channel(outcome) == pytest.approx(expected(X), rel=1e-5)


def test_samples_are_the_first_so_many(program: Program) -> None:
    outcome = run(program, "--data", npz(program.folder), "--samples", "2")
    assert outcome.report["data"]["samples"] == 2
    assert by_channel(outcome) == pytest.approx(expected(X[:2]), rel=1e-5)


def test_presets_say_how_images_become_inputs(program: Program) -> None:
    outcome = run(program, "--data", pictures(program.folder), "--preprocess", "scale=255,mean=0.5,std=0.25")
    assert by_channel(outcome) == pytest.approx(expected((X.astype(np.float64) - 0.5) / 0.25), rel=1e-5)


def test_without_data_the_seed_and_the_number_of_samples_are_the_users(program: Program) -> None:
    first, again, other = (
        run(program, "--seed", seed, "--samples", "3", "--dim", "height=4", "--dim", "width=4")
        for seed in ("1", "1", "2")
    )
    assert first.stdout == again.stdout
    assert first.report["data"] == {
        "source": "synthetic (seed 1)",
        "samples": 3,
        "synthetic": True,
        "not_run": "",
    }
    assert by_channel(first) != by_channel(other)


def test_no_run_keeps_data_and_onnxruntime_out(program: Program) -> None:
    report = run(program, "--no-run").report
    assert report["data"] is None
    assert report["layers"][0]["metrics"] is None
    assert report["layers"][0]["metrics_reason"]
    assert report["layers"][0]["weight_metrics"] is not None
    assert {"activations", "importance"}.isdisjoint(each["name"] for each in report["passes"])


def saved(name: str, **arrays: Any) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        np.savez(folder / name, **arrays)
        return name

    return make


def written(name: str, text: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).write_text(text)
        return name

    return make


def code(text: str) -> Callable[[Path], str]:
    return lambda folder: f"{written('mine.py', text)(folder)}:batches"


def objects(folder: Path) -> str:
    np.save(folder / "d.npy", np.array([{"a": 1}], object), allow_pickle=True)
    return "d.npy"


def infinite(samples: Array) -> Array:
    bad = samples.copy()
    bad[5, 0, 0, 0] = np.nan
    return bad


WRONG: dict[str, tuple[Callable[[Path], str], list[str], str]] = {
    "no-such-file": (lambda _: "nowhere.npz", [], "there is no such file"),
    "no-data-at-all": (written("d.txt", "x"), [], "wanted is .npz, .npy, a folder, or file.py:function"),
    "damaged": (written("d.npz", "PK no zip"), [], "d.npz"),
    "pickled": (objects, [], "d.npy"),
    "rank": (saved("d.npz", x=X[0, 0]), [], "'x'"),
    "channels": (saved("d.npz", x=X[:, :2]), [], "dim 1 must be 3"),
    "type": (saved("d.npz", x=np.full(X.shape, "a")), [], "'x'"),
    "bytes-of-pixels": (saved("d.npz", x=PIXELS.transpose(0, 3, 1, 2)), [], "--preprocess scale=255"),
    "nan": (saved("d.npz", x=infinite(X)), [], "NaN or infinite"),
    "no-samples": (saved("d.npz", x=X[:0]), [], "sample"),
    "no-such-function": (code("def other():\n    yield 1\n"), [], "has no function 'batches'"),
    "function-that-fails": (code("def batches():\n    raise KeyError('oh')\n"), [], "KeyError"),
    "function-that-fails-late": (
        code(
            "import numpy as np\ndef batches():\n    yield {'x': np.zeros((1, 3, 4, 4), np.float32)}\n    1 / 0\n"
        ),
        [],
        "ZeroDivisionError",
    ),
    "preprocess": (pictures, ["--preprocess", "nonsense"], "nonsense"),
    "images-without-scale": (pictures, [], "--preprocess"),
}


@pytest.mark.parametrize(("make", "options", "said"), WRONG.values(), ids=WRONG)
def test_data_that_do_not_fit_are_one_line_and_exit_2(
    program: Program, make: Callable[[Path], str], options: list[str], said: str
) -> None:
    outcome = run(program, "--data", make(program.folder), *options)
    assert outcome.code == 2
    assert said in outcome.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preprocess", "imagenet"], "there is no --data"),
        (["--samples", "0"], "--samples"),
        (["--batch-size", "0"], "--batch-size"),
        (["--seed", "-1"], "--seed"),
        (["--no-run", "-p", "importance"], "leave --no-run out"),
    ],
)
def test_options_that_cannot_be_meant_are_one_line(program: Program, options: list[str], said: str) -> None:
    path = program.save(MODEL)
    outcome = program("run", path, *options, may_run=True)
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (2, "", 1)
    assert said in outcome.stderr
