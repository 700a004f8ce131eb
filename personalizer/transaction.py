"""One transaction on an SQLite file that several processes may use."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def transaction(path: Path, failed: Callable[[str], Exception]) -> Iterator[sqlite3.Connection]:
    """Open the file for one transaction; another process's is waited for.

    What SQLite has against the file becomes the caller's own error, made by `failed`.
    """
    try:
        with closing(sqlite3.connect(path, timeout=60)) as database, database:
            yield database
    except sqlite3.DatabaseError as error:
        raise failed(str(error)) from error
