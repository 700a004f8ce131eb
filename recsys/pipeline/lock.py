"""One run at a time in a home."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from recsys.errors import HomeBusyError

_PAUSE = 0.1


@contextmanager
def exclusive(home: Path, *, wait: float = 0) -> Iterator[None]:
    """Hold the home's lock; the system lets go of it when the process dies, however it dies.

    Another's is waited for, so many seconds at most.
    """
    with _lock(home, ".lock", fcntl.LOCK_EX, wait):
        yield


@contextmanager
def making(home: Path, kind: str, *, wait: float = 0) -> Iterator[None]:
    """Hold what one kind of artifact needs: others may be made beside it, but no whole run."""
    with (
        _lock(home, ".lock", fcntl.LOCK_SH, wait),
        _lock(home, f".lock-{kind}", fcntl.LOCK_EX, wait),
    ):
        yield


@contextmanager
def _lock(home: Path, name: str, how: int, wait: float) -> Iterator[None]:
    until = time.monotonic() + wait
    home.mkdir(parents=True, exist_ok=True)
    with (home / name).open("a+", encoding="utf-8") as lock:
        while not _held(lock, how):
            if time.monotonic() >= until:
                lock.seek(0)
                raise HomeBusyError(
                    f"another run is at work here (process {lock.read().strip() or 'unknown'})",
                    where=str(home),
                    fix="wait for it, or use another TAILOR_HOME",
                )
            time.sleep(_PAUSE)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _held(lock: IO[str], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
