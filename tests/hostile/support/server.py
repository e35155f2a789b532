"""A small process that has the program imported and forks a child for every command that it is told to run.

A child costs milliseconds instead of half a second, and its peak memory is its own. Speaks JSON lines:
a command (``arguments``, ``folder``, ``seconds``, ``stdout``, ``stderr``, ``file_size``) in, a result out:
``seconds`` there are of processor time.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from typing import Any

import nnea_graph.commands.run  # noqa: F401 - imported for the children
from nnea_graph.commands.cli import run_command_line

POLL = 0.002


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(command: dict[str, Any]) -> dict[str, Any]:
    child = os.fork()
    if child == 0:
        _be_child(command)
    status, usage, killed = _wait(child, time.monotonic() + command["seconds"])
    return {
        "code": os.waitstatus_to_exitcode(status),
        "killed": killed,
        "seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def _be_child(command: dict[str, Any]) -> None:
    code = 70
    try:
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.chdir(command["folder"])
        if command["file_size"] is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (command["file_size"],) * 2)
        code = run_command_line(command["arguments"])
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - whatever gets past the program is what the test wants to see
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, deadline: float) -> tuple[int, resource.struct_rusage, bool]:
    killed = False
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage, killed
        if time.monotonic() > deadline and not killed:
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(POLL)


if __name__ == "__main__":
    main()
