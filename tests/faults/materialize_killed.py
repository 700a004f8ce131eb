"""Bring a view online and die by SIGKILL, between two chunks or in the middle of one."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from features.instants import from_micros
from features.online.postgres import PostgresStore
from features.online.sqlite import SqliteStore
from features.settings import StoreSettings
from features.store import FeatureRepo


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_writing(kind: type[Any], after: int) -> None:
    """Write half of a chunk, then die, once `after` chunks are there."""
    write, chunks = kind._write, iter(range(100))

    def half(self: Any, *given: Any) -> None:
        *about, rows = given
        last = next(chunks) == after
        write(self, *about, first_half(rows) if last else rows)
        if last:
            die()

    kind._write = half


def first_half(rows: Any) -> Any:
    """Of rows in a list, or by their keys."""
    some = [*rows][: len(rows) // 2]
    return {key: rows[key] for key in some} if isinstance(rows, dict) else some


if __name__ == "__main__":
    home, moment, where, settings = sys.argv[1:]
    repo = FeatureRepo(Path(home), StoreSettings.model_validate(json.loads(settings)))
    if where == "within":
        die_while_writing(SqliteStore, 2)
        die_while_writing(PostgresStore, 2)
    as_of = from_micros(int(moment))
    repo.materialize(as_of, as_of, ["user_profile"], lambda done, _: die() if done == 6 else None)
