"""How much faster a second analyze() of a live model is than the first, which exports it; by hand.

Each network has a fresh process in which its framework is imported and its weights are made before the clock runs, as
in a training loop. Between two analyses every weight changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS = 5


def torch_net(name: str) -> tuple[Any, Any, Callable[[], None]]:
    """A module, 256 samples, and what changes its weights."""
    import torch  # noqa: PLC0415 - only in the process that needs it
    from model_zoo.torch_models import MODELS  # noqa: PLC0415

    make, shapes = MODELS[name]
    module = make()
    ((_, shape),) = shapes.items()

    def change() -> None:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))

    return module, torch.randn(256, *shape[1:]), change


def keras_net(name: str) -> tuple[Any, Any, Callable[[], None]]:
    """A model, 256 samples, and what changes its weights."""
    from model_zoo.keras_nets import NETS, change, samples  # noqa: PLC0415

    model = NETS[name][0]()
    return model, samples(name, 256), lambda: change(model)


def measure(framework: str, name: str) -> list[float]:
    """Seconds of the first analysis and of those after it."""
    model, data, change = {"torch": torch_net, "keras": keras_net}[framework](name)
    from nnea_graph import NNEfficiencyAnalyzer  # noqa: PLC0415 - after the framework, as users do

    analyzer, seconds = NNEfficiencyAnalyzer(model), []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        analyzer.analyze(data, verbose=False)
        seconds.append(time.perf_counter() - started)
        change()
    return seconds


def main() -> None:
    """One line a network: first, median of the others, ratio."""
    print(f"{'network':20} {'first s':>8} {'later s':>8} {'ratio':>6}")
    for framework, name in (
        ("torch", "mlp"),
        ("torch", "cnn"),
        ("torch", "encoder"),
        ("keras", "mlp"),
        ("keras", "residual_cnn"),
    ):
        command = [sys.executable, __file__, framework, name]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        first, *later = json.loads(printed.splitlines()[-1])
        again = float(np.median(later))
        print(f"{framework + ' ' + name:20} {first:8.3f} {again:8.3f} {first / again:6.1f}")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
