"""One run at a time in a home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import HomeBusyError


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the home's lock; the system lets go of it when the process dies, however it dies."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise HomeBusyError(
                f"another run is at work here (process {lock.read().strip() or 'unknown'})",
                where=str(home),
                fix="wait for it, or use another TAILOR_HOME",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
