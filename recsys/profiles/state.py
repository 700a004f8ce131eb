"""What was written, kept between runs: one SQLite file in the home, a transaction per batch.

Not an artifact: it changes with every batch, so that a kill loses at most one. The artifact that
the feature store reads is made from it.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from personalizer.profiles.history import History
from personalizer.transaction import transaction
from recsys.errors import ArtifactError

__all__ = ["Kept", "State"]

_CHUNK = 500
_COLUMNS = (
    "level", "user_id", "signature", "history_hash", "items", "times", "guidance", "profile",
    "generator", "prompt_version", "style", "rejected", "written_at",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A profile as it was written, and what it was written from."""

    level: str
    user_id: str
    signature: str  # of all that it depends on: the same, and it needs no writing
    history_hash: str
    items: tuple[str, ...]
    times: tuple[int, ...]
    guidance: str
    profile: str
    generator: str
    prompt_version: str
    style: str
    rejected: tuple[str, ...] = ()
    written_at: str = ""

    @property
    def last_seconds(self) -> int:
        """When the last purchase it saw was made."""
        return max(self.times, default=0)

    def seen_in(self, history: History) -> int | None:
        """How many of a history's first purchases it saw; None unless it saw nothing else.

        The oldest may have left the history meanwhile: it keeps the latest only.
        """
        now = [(bought.item.item_id, bought.seconds) for bought in history.purchases]
        saw = list(zip(self.items, self.times, strict=True))
        for gone in range(len(saw) if len(now) >= len(saw) else 1):
            if now[: len(saw) - gone] == saw[gone:]:
                return len(saw) - gone
        return None


class State:
    """The file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.db"
        folder.mkdir(parents=True, exist_ok=True)
        columns = ", ".join(f"{name} TEXT NOT NULL" for name in _COLUMNS)
        with self._open() as database:
            for table in ("profiles", "earlier"):
                database.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY (level, user_id))"
                )
            database.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT)")

    def signatures(self, level: str) -> dict[str, str]:
        """What each standing profile depends on."""
        with self._open() as database:
            query = "SELECT user_id, signature FROM profiles WHERE level = ?"
            return dict(database.execute(query, (level,)).fetchall())

    def get(self, level: str, users: Sequence[str]) -> dict[str, Kept]:
        """Standing profiles by shopper."""
        return self._read("profiles", level, users)

    def earlier(self, level: str, users: Sequence[str]) -> dict[str, Kept]:
        """The profiles before those."""
        return self._read("earlier", level, users)

    def put(self, rows: Collection[Kept]) -> None:
        """Write a batch, whole or not at all; what another takes the place of is kept as well."""
        names, marks = ", ".join(_COLUMNS), ", ".join("?" * len(_COLUMNS))
        keys = [(row.level, row.user_id, row.profile) for row in rows]
        with self._open() as database:
            database.executemany(
                f"INSERT OR REPLACE INTO earlier SELECT {names} FROM profiles "  # noqa: S608
                "WHERE level = ? AND user_id = ? AND profile <> ?",
                keys,
            )
            database.executemany(
                f"INSERT OR REPLACE INTO profiles ({names}) VALUES ({marks})",  # noqa: S608
                [_row(each) for each in rows],
            )

    def erase(self, user_id: str) -> int:
        """Delete a shopper; returns how many rows went."""
        with self._open() as database:
            return sum(
                database.execute(
                    f"DELETE FROM {table} WHERE level = 'user' AND user_id = ?",  # noqa: S608
                    (user_id,),
                ).rowcount
                for table in ("profiles", "earlier")
            )

    @property
    def turn(self) -> int:
        """How often a run ended with shoppers left over: their artifact is made anew."""
        with self._open() as database:
            found = database.execute("SELECT value FROM facts WHERE name = 'turn'").fetchone()
        return int(found[0]) if found else 0

    def take_turn(self) -> None:
        """Have the next run make the artifact anew."""
        with self._open() as database:
            database.execute(
                "INSERT INTO facts VALUES ('turn', '1') "
                "ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
            )

    def _read(self, table: str, level: str, users: Sequence[str]) -> dict[str, Kept]:
        found: dict[str, Kept] = {}
        with self._open() as database:
            for start in range(0, len(users), _CHUNK):
                some = users[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                rows = database.execute(
                    f"SELECT {', '.join(_COLUMNS)} FROM {table} "  # noqa: S608
                    f"WHERE level = ? AND user_id IN ({marks})",
                    (level, *some),
                )
                found |= {row[1]: _kept(row) for row in rows}
        return found

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(
            self._path,
            lambda why: ArtifactError(
                f"can't use what is kept of the profiles: {why}",
                where=str(self._path),
                fix="delete the file; all profiles are written again",
            ),
        )


def _row(kept: Kept) -> tuple[Any, ...]:
    lists = {name: json.dumps(getattr(kept, name)) for name in ("items", "times", "rejected")}
    return tuple(lists.get(name, getattr(kept, name)) for name in _COLUMNS)


def _kept(row: Sequence[str]) -> Kept:
    kept = Kept(**dict(zip(_COLUMNS, row, strict=True)))  # type: ignore[arg-type]
    items, times, rejected = (
        tuple(json.loads(str(getattr(kept, name)))) for name in ("items", "times", "rejected")
    )
    return replace(kept, items=items, times=times, rejected=rejected)
