"""The process that runs a doubtful model: loads it within limits, then answers batch by batch until nobody asks."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.errors import RunError
from nnea_graph.graph import DTYPES
from nnea_graph.graph.dtypes import storage
from nnea_graph.process.framing import Bytes, packed, receive, send, unpacked
from nnea_graph.process.limits import limit_memory
from nnea_graph.process.serving import answering
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.library import onnxruntime
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
    onnxruntime()  # loaded before there is a limit
    limit_memory(settings["memory_bytes"] + _OWN_BYTES)
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


def _session(model: Bytes, settings: Mapping[str, Any]) -> Session:
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


def main() -> None:
    """Answer until nobody asks any more."""
    with answering() as (requests, answers):
        serve(requests, answers)


if __name__ == "__main__":
    main()
