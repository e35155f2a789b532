"""The process that runs a doubtful model: loads it within limits, then answers batch by batch until nobody asks."""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.errors import RunError
from nnea_graph.graph import DTYPES
from nnea_graph.graph.dtypes import storage
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.framing import packed, receive, send, unpacked
from nnea_graph.runtime.session.node_order import observing_session
from nnea_graph.runtime.session.session import Session, Settings

_MOST_REQUEST = 1 << 40
_OWN_BYTES = 512 << 20
"""What the process takes without a model: libraries, and stacks of threads."""

Pipe = IO[bytes]
Answer = dict[str, NDArray[Any]]


def serve(requests: Pipe, answers: Pipe) -> None:
    """Make the session, say so, then run what comes."""
    settings = json.loads(receive(requests, _MOST_REQUEST))
    model = receive(requests, _MOST_REQUEST)
    limit_memory(settings["memory_bytes"])
    made: list[Session] = []

    def load() -> Answer:
        made.append(_session(model, settings))
        return {}

    _say(answers, settings, load)
    while made:
        request = json.loads(receive(requests, _MOST_REQUEST))
        feeds = unpacked(receive(requests, _MOST_REQUEST))
        _say(answers, settings, lambda: _run(made[0], feeds, request))  # noqa: B023 - called before the next one


def _say(answers: Pipe, settings: Mapping[str, Any], compute: Callable[[], Answer]) -> None:
    """The complaint, empty where there is none, and then what was computed."""
    try:
        found = compute()
    except RunError as error:
        send(answers, str(error).encode(errors="replace"))
    except MemoryError:
        send(answers, f"the model takes more than {settings['memory_bytes']:,} bytes of memory".encode())
    else:
        send(answers, b"")
        send(answers, packed(found))


def _session(model: bytes, settings: Mapping[str, Any]) -> Session:
    arrays = {name: _mapped(*place) for name, place in settings["arrays"].items()}
    written = Written(ModelProto.FromString(model), arrays=arrays)
    return observing_session(written, settings["outputs"], Settings(threads=settings["threads"]))


def _mapped(descriptor: int, offset: int, code: int, shape: Sequence[int]) -> NDArray[Any]:
    """A weight where it lies; the file is open already."""
    dtype = DTYPES[code]
    pages = np.frombuffer(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ), np.uint8)
    return pages[offset : offset + dtype.nbytes(int(np.prod(shape)))].view(storage(dtype)).reshape(shape)


def _run(session: Session, feeds: Answer, request: Mapping[str, Any]) -> Answer:
    names = request["outputs"]
    return dict(zip(names, session.run(feeds, names, request["seconds"]), strict=True))


def limit_memory(most: int) -> None:
    """Have the kernel refuse more; and if the machine runs short, end this process before all others.

    RLIMIT_AS would count the files that are mapped as well.
    """
    import onnxruntime  # noqa: F401, PLC0415 - loaded before there is a limit

    resource.setrlimit(resource.RLIMIT_DATA, (most + _OWN_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    first_to_go = Path("/proc/self/oom_score_adj")
    if first_to_go.exists():
        first_to_go.write_text("1000", encoding="ascii")


def main() -> None:
    """Keep standard output for answers: what libraries print goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the main process, which ends this one
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        try:
            serve(sys.stdin.buffer, answers)
        except ConnectionError:  # nobody asks any more
            return


if __name__ == "__main__":
    main()
