"""Engines that run tasks: processes of this machine, or a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from nnea_graph.errors import RunError, UsageError
from nnea_graph.fleet.model_run import ModelRun, Task, TaskOutcome, run_task

ENGINES = ("local", "ray")
_POLL = 0.02


def run_tasks(
    tasks: Sequence[Task], engine: str, jobs: int, address: str | None = None
) -> Iterator[TaskOutcome]:
    """Outcomes as they come; an early end of the iteration ends what still runs.

    Raises:
        UsageError: there is no such engine, or it is not installed.
        RunError: Ray does not start.
    """
    if engine == "local":
        return _local(tasks, jobs)
    if engine == "ray":
        return _ray(tasks, jobs, address)
    raise UsageError(f"--engine '{engine}': there is {', '.join(ENGINES)}")


def _local(tasks: Sequence[Task], jobs: int) -> Iterator[TaskOutcome]:
    waiting, running = list(reversed(tasks)), list[ModelRun]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(ModelRun(waiting.pop()))
            ended = [(child, outcome) for child in running if (outcome := child.outcome()) is not None]
            for child, outcome in ended:
                running.remove(child)
                yield outcome
            if not ended:
                time.sleep(_POLL)
    finally:
        for child in running:
            child.kill()


def _ray(tasks: Sequence[Task], jobs: int, address: str | None) -> Iterator[TaskOutcome]:
    ray = _started_ray(jobs, address)
    remote: Any = ray.remote(num_cpus=1, max_retries=2)(run_task)
    waiting, live = list(reversed(tasks)), dict[Any, Task]()
    try:
        while waiting or live:
            while waiting and len(live) < 2 * jobs:  # the window is the back-pressure
                task = waiting.pop()
                live[remote.remote(task)] = task
            ready, _ = ray.wait(list(live), num_returns=1, timeout=0.5)
            for reference in ready:
                yield _answer(ray, reference, live.pop(reference))
    finally:
        for reference in live:
            ray.cancel(reference, force=True)
        if address is None:
            ray.shutdown()


def _started_ray(jobs: int, address: str | None) -> Any:
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            "--engine ray: Ray is not installed; pip install 'nnea-graph[ray]', or use --engine local"
        ) from error
    usual: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    here = {"num_cpus": jobs, "include_dashboard": False, "object_store_memory": 100 * 2**20}
    try:
        ray.init(**usual, **({"address": address} if address else here))
    except Exception as error:  # Ray has no class of its own for a node that does not come up
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"--engine ray: Ray did not start: {told[0][:300]}; use --engine local") from error
    return ray


def _answer(ray: Any, reference: Any, task: Task) -> TaskOutcome:
    try:
        outcome: TaskOutcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        return TaskOutcome(task.model, 2, f"the worker was lost: {told[0][:300]}")
    return outcome
