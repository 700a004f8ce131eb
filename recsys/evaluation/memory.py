"""The most memory that this process and those it started have held at once."""

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
EVERY = 0.2  # seconds; what is held for a shorter time may be missed


@dataclass(frozen=True)
class _Process:
    parent: int
    held: int
    stack: int  # where it begins: another place with every program that is started

    def forked_from(self, other: "_Process | None") -> bool:
        return other is not None and self.stack == other.stack


class Peak:
    """The highest sum seen so far, in MiB."""

    def __init__(self) -> None:
        self._bytes = 0
        self._forks: dict[int, float] = {}  # since when each is seen

    @property
    def mib(self) -> int:
        """Look once more, and tell the most there has been."""
        self.look()
        return self._bytes >> 20

    def look(self) -> None:
        """Add up what this process and its descendants hold now."""
        held = self._held() if _PROCESSES.is_dir() else _own_peak()
        self._bytes = max(self._bytes, held)

    def _held(self) -> int:
        """Add up the bytes of all; what is about to start a program seems to hold its parent's."""
        seen, now, before = _processes(), time.monotonic(), self._forks
        forks = [pid for pid, one in seen.items() if one.forked_from(seen.get(one.parent))]
        self._forks = {pid: before.get(pid, now) for pid in forks if pid != os.getpid()}
        passing = {pid for pid, since in self._forks.items() if now - since < EVERY / 2}
        return sum(seen[pid].held for pid in seen.keys() - passing if _descends(pid, seen))


@contextmanager
def peak() -> Iterator[Peak]:
    """Watch memory inside the block.

    Looked up again and again, because the peaks of processes are not at the same time: Spark's Java
    has ended when the ranker trains. Where there is no /proc, it is this process alone.
    """
    seen, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            seen.look()

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _own_peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # it may end while we look
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            held = int(fields[21]) * _PAGE
            found[int(folder.name)] = _Process(int(fields[1]), held, int(fields[25]))
    return found


def _descends(pid: int, seen: dict[int, _Process]) -> bool:
    while pid in seen and pid != os.getpid():
        pid = seen[pid].parent
    return pid == os.getpid()
