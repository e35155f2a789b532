"""The folder of ``run -o``: one run's at a time, changed as a whole, and never over somebody else's files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nnea_graph.errors import OutputError
from nnea_graph.render.output_files import remove_leftovers, write_outputs

REPORT, PAGE, FACTS = "report.json", "report.html", "run.json"
PICTURES = tuple(f"{name}.{form}" for name in ("pathways", "flow", "graph") for form in ("dot", "svg"))
_LOCK = ".nnea-graph.lock"


class OutputFolder:
    """A folder that this run holds. The report is there only with all that belongs to it.

    The lock names the files that are about to come, by inode, so that the next run knows what a killed one left.
    """

    def __init__(self, folder: Path, lock: int, known: Sequence[str], *, force: bool) -> None:
        self._folder = folder
        self._lock = lock
        self._known = known
        self._force = force

    def write(self, files: Mapping[str, Iterable[str]]) -> None:
        """Put the files there as one, the report last; others that belong to a report that is replaced go.

        Raises:
            OutputError: one cannot be written; there is no report then, or the older one with its files.
        """
        replaced = self._force and (self._folder / REPORT).exists()
        gone = [path.name for path in self._present() if replaced and path.name not in files]
        order = [*gone, *sorted(files.keys() - {REPORT}), REPORT]
        write_outputs(
            {self._folder / name: files.get(name) for name in order}, force=self._force, ready=self._note
        )
        self._note({})

    def _note(self, inodes: Mapping[Path, int]) -> None:
        names = [(path.name, inode) for path, inode in inodes.items()]
        if names and (self._folder / REPORT).exists():
            names += [(path.name, path.lstat().st_ino) for path in self._present()]
        with _usable(self._folder):
            os.ftruncate(self._lock, 0)
            if names:
                os.pwrite(self._lock, json.dumps(names).encode(), 0)
                os.fsync(self._lock)

    def _present(self) -> list[Path]:
        """Files beside the report that are there."""
        return [path for path in (self._folder / name for name in self._known) if os.path.lexists(path)]

    def clean(self) -> None:
        """Take away what a killed run left: what is not in its place, and what came without its report."""
        remove_leftovers([self._folder / name for name in (REPORT, *self._known)])
        if not (self._folder / REPORT).exists():
            for name, inode in self._noted():
                with suppress(OSError):
                    if (self._folder / name).lstat().st_ino == inode:
                        (self._folder / name).unlink()
        self._note({})

    def _noted(self) -> list[tuple[str, int]]:
        known = {*self._known, REPORT}
        try:
            found = json.loads(os.pread(self._lock, 1 << 16, 0))
            return [(name, inode) for name, inode in found if name in known]
        except (OSError, ValueError, TypeError):  # empty, or not ours
            return []

    def check(self) -> None:
        """Checks that what is there stays, without ``force``.

        Raises:
            OutputError: there is a report, or another file that this run may write.
        """
        for name in (REPORT, *self._known):
            path = self._folder / name
            if path.is_dir():
                raise OutputError(f"{path}: is a folder, where a file of the report goes; give another place")
            if self._force or not os.path.lexists(path):
                continue
            if name == REPORT:
                raise OutputError(
                    f"{self._folder}: has a report already; give another folder, or --force to replace it"
                )
            raise OutputError(
                f"{path}: is there without a report of this program; give another folder, or --force to replace it"
            )


@contextmanager
def output_folder(folder: Path, known: Sequence[str], *, force: bool) -> Iterator[OutputFolder]:
    """Hold a folder for this run alone; ``known`` are the files beside the report that there can be.

    Raises:
        OutputError: it cannot be made, another run holds it, or it has such files and ``force`` is not given.
    """
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        _take(lock, folder)
    except BaseException:
        os.close(lock)  # and stays there: it is another run's
        raise
    held = OutputFolder(folder, lock, known, force=force)
    try:
        held.clean()
        held.check()
        yield held
    finally:
        with suppress(OutputError):
            held.clean()
        with suppress(OSError):
            (folder / _LOCK).unlink()
        os.close(lock)


def _take(lock: int, folder: Path) -> None:
    import fcntl  # noqa: PLC0415 - only runs with -o need it

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(
            f"{folder}: another run writes there; wait for it or give another folder"
        ) from error
    with _usable(folder):
        links = os.fstat(lock).st_nlink
    if not links:  # a run that has just ended took the lock with it
        raise OutputError(f"{folder}: another run wrote there; try again or give another folder")


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be used as output folder: {error.strerror}; give another"
        ) from error
