"""The most memory that this process and those it started have held at once."""

import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROCESSES = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
EVERY = 0.2  # seconds; what is held for a shorter time may be missed


class Peak:
    """The highest sum seen so far, in MiB."""

    def __init__(self) -> None:
        self._bytes = 0

    @property
    def mib(self) -> int:
        """Look once more, and tell the most there has been."""
        self.look()
        return self._bytes >> 20

    def look(self) -> None:
        """Add up what this process and its descendants hold now."""
        held = sum(_held()) if _PROCESSES.is_dir() else _own_peak()
        self._bytes = max(self._bytes, held)


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


def _held() -> Iterator[int]:
    """Bytes that this process holds, and each of its descendants."""
    held: dict[int, int] = {}
    parent: dict[int, int] = {}
    for folder in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # it may end while we look
            pid, fields = int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
            parent[pid], held[pid] = int(fields[1]), int(fields[21]) * _PAGE
    for pid, size in held.items():
        if _descends(pid, parent):
            yield size


def _descends(pid: int, parent: dict[int, int]) -> bool:
    while pid and pid != os.getpid():
        pid = parent.get(pid, 0)
    return bool(pid)
