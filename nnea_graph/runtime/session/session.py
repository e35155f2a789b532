"""Sessions of onnxruntime: quiet, limited in time, with errors of one line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto

from nnea_graph.errors import RunError
from nnea_graph.runtime.export.large_models import parted
from nnea_graph.runtime.export.to_onnx import Written
from nnea_graph.runtime.session.exact_int8 import with_exact_int8
from nnea_graph.runtime.session.library import onnxruntime
from nnea_graph.runtime.session.watchdog import DEADLINES

Arrays = Mapping[str, NDArray[Any]]

FLOAT_QDQ = "session.disable_quant_qdq"
"""Has onnxruntime compute in floats between DequantizeLinear and QuantizeLinear, as the model says."""

_SILENT = 4  # only what ends the process


@dataclass(frozen=True, slots=True)
class Settings:
    """``threads`` 0 leaves their number to onnxruntime; ``apart`` has the model run in another process.

    ``native`` takes the int8 kernels that a user's session takes, for measuring time. Everything else that is
    measured must be the same on every CPU: without VNNI those kernels add pairs of u8·s8 products in 16 bits.
    """

    threads: int = 0
    apart: IsolationLimits | None = None
    native: bool = False


@dataclass(frozen=True, slots=True)
class IsolationLimits:
    """Limits of another process: ``memory_bytes`` it may take, and ``seconds`` to make the session."""

    memory_bytes: int
    seconds: float


class Session:
    """A model ready to run."""

    def __init__(self, proto: ModelProto, arrays: Arrays, options: Any) -> None:
        """``arrays`` are the values of external initializers, ``options`` the SessionOptions to complete.

        Raises:
            RunError: onnxruntime does not take the model.
        """
        proto, large = parted(proto)
        arrays = {**arrays, **large}
        # An OrtValue over an array does not own it.
        self._held = arrays
        values = [onnxruntime().OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
        if values:
            options.add_external_initializers(list(arrays), values)
        with explained("onnxruntime cannot load the model"):
            self._session = onnxruntime().InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())
        self.defaults = frozenset(value.name for value in self._session.get_overridable_initializers())

    def close(self) -> None:
        """Nothing to end: it lives in this process."""

    def end_profiling(self) -> str:
        """The file that the profile was written to, where the options ask for one."""
        return str(self._session.end_profiling())

    def run(
        self, feeds: Arrays, outputs: Sequence[str] | None = None, seconds: float | None = None
    ) -> list[Any]:
        """The outputs in order, all by default; given up after so many seconds, if any.

        Inputs that have a default may be left out of ``feeds``.

        Raises:
            RunError: an input is missing, an operator fails, or the time is up.
        """
        missing = [name for name in self.inputs if name not in feeds]
        if missing:
            raise RunError(f"the model's input '{missing[0]}' is not given; the data has {', '.join(feeds)}")
        fed = {name: feeds[name] for name in (*self.inputs, *(self.defaults & feeds.keys()))}
        with _limited(seconds) as options, explained("onnxruntime cannot run the model"):
            results: list[Any] = self._session.run(outputs or None, fed, options)
            # onnxruntime takes an empty list for all of them.
            return results if outputs is None or outputs else []


@contextmanager
def _limited(seconds: float | None) -> Iterator[Any]:
    """Options of a run that end it when its time is up."""
    options = onnxruntime().RunOptions()
    options.log_severity_level = _SILENT
    if seconds is None:
        yield options
        return
    try:
        with DEADLINES.ending(options, seconds):
            yield options
    except RunError as error:
        if not options.terminate:
            raise
        raise RunError("the time for running the model is up; raise the limit or shrink the input") from error


def session_options(settings: Settings) -> Any:
    """SessionOptions that print nothing; what is quantized is computed in floats unless ``native``."""
    options = onnxruntime().SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.log_severity_level = _SILENT
    if not settings.native:
        options.add_session_config_entry(FLOAT_QDQ, "1")
    return options


def session_of(written: Written, settings: Settings | None = None) -> Session:
    """A session of a model that has been written, with onnxruntime's default optimizations."""
    settings = settings or Settings()
    written = written if settings.native else with_exact_int8(written)
    return Session(written.proto, written.arrays, session_options(settings))


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn every error of onnxruntime into a RunError of one line that begins so."""
    state = onnxruntime().capi.onnxruntime_pybind11_state
    names = (
        "EPFail EngineError Fail InvalidArgument InvalidGraph InvalidProtobuf ModelLoaded NoModel"
        " NoSuchFile NotImplemented RuntimeException"
    )
    kinds = tuple(getattr(state, name) for name in names.split())
    try:
        yield
    except (*kinds, RuntimeError, ValueError) as error:
        raise RunError(f"{what}: {one_line(str(error))}") from error


def one_line(message: str) -> str:
    r"""Text that an error of onnxruntime says, without codes, source places and line breaks.

    >>> one_line("[ONNXRuntimeError] : 1 : FAIL : Node (a) failed\nhere")
    'Node (a) failed here'
    >>> one_line("Node (a) Status Message: std::bad_alloc")
    'Node (a) Status Message: out of memory'
    """
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", message)
    text = re.sub(r"/\S*onnxruntime\S*:\d+ .*?\) ?(\[with .*?\] )?", "", text)
    return " ".join(text.replace("std::bad_alloc", "out of memory").split())[:400]
