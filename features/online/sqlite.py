"""Feast's SQLite store: a table per view, a row per entity and feature."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from features.errors import StoreError, too_late
from features.online.base import Changes, Found, OnlineStore
from features.online.layout import Row, Stored, View

_PATIENCE = 30.0  # seconds to wait for another writer
_COLUMNS = "entity_key, feature_name, value, value_text, event_ts, created_ts"
_CACHE_KIB, _PAGES_IN_LOG = 32_768, 8_000
_KEYS_PER_QUERY = 10_000  # SQLite takes 32,766 parameters
_LATE = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}
_STEPS = 10_000  # of SQLite's machine between two looks at the clock; milliseconds


class SqliteStore(OnlineStore):
    """One file; writers wait for each other, readers for nobody.

    Connected with a `timeout` in seconds, for looking up, a read ends within it.
    """

    precision = 1_000_000

    def __init__(self, project: str, path: Path, timeout: float | None = None) -> None:
        super().__init__(project)
        self.path, self._timeout = path, timeout
        self._until = inf

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        if not self.path.is_file():  # connecting would make it
            raise StoreError("no online store", where=str(self.path), fix="apply it first")
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._timeout or _PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = bytes
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_IN_LOG}")
        if self._timeout:
            connection.set_progress_handler(lambda: monotonic() > self._until, _STEPS)
        return connection

    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys."""
        self._until = monotonic() + (self._timeout or inf)
        found = {}
        for view in views:
            try:
                found[view.name] = self._rows(view, keys)
            except sqlite3.OperationalError as error:
                if self._timeout and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LATE:
                    raise too_late(self._timeout, str(self.path)) from error
                if "no such table" not in str(error):
                    raise
        return found

    def change(
        self,
        views: Sequence[View],
        keys: Sequence[bytes],
        decide: Callable[[Found], Changes],
    ) -> Changes:
        """Read, decide and write in one transaction that no other writer can enter."""
        with self._transaction():
            changes = decide(self.read(views, keys))
            for view in views:
                self._write(view, changes.get(view.name, ()))
        return changes

    def erase(self, views: Sequence[View], key: bytes) -> Mapping[str, int]:
        """Remove a key's rows."""
        with self._transaction():
            return {
                view.name: self._connection.execute(
                    f"DELETE FROM {self._table(view)} WHERE entity_key = ?",  # noqa: S608
                    (key,),
                ).rowcount
                for view in views
            }

    def close(self) -> None:
        """Let go of the file."""
        if connection := self.__dict__.pop("_connection", None):
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _rows(self, view: View, keys: Sequence[bytes]) -> dict[bytes, Stored]:
        """Read a line per entity, its features strung together: fetching is what takes time.

        The three strings are made from the same rows in the same order, whatever it is.
        """
        found = {}
        for first in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[first : first + _KEYS_PER_QUERY]
            rows = self._connection.execute(
                "SELECT entity_key, max(event_ts), group_concat(feature_name, char(31)), "  # noqa: S608
                f"group_concat(length(value)), group_concat(value, '') FROM {self._table(view)} "
                f"WHERE entity_key IN ({','.join('?' * len(part))}) GROUP BY entity_key",
                part,
            )
            for key, event, *strings in rows:
                found[key] = Stored(_from_epoch(event), strings, _taken_apart)
        return found

    def _write(self, view: View, rows: Sequence[Row]) -> None:
        """All features of an entity in one statement, in the order of the index.

        Numbered parameters bind key and times once for all features.
        """
        places = sorted((name, 4 + 2 * at) for at, name in enumerate(view.names))
        values = (f"(?1, '{name}', ?{at}, ?{at + 1}, ?2, ?3)" for name, at in places)
        self._connection.executemany(
            f"INSERT INTO {self._table(view)} ({_COLUMNS}) VALUES {','.join(values)} "  # noqa: S608
            "ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value, "
            "value_text = excluded.value_text, event_ts = excluded.event_ts, "
            "created_ts = excluded.created_ts",
            (_parameters(row) for row in sorted(rows, key=_key)),
        )

    def _table(self, view: View) -> str:
        name = f"{self.project}_{view.name}".replace('"', '""')
        return f'"{name}"'


def _taken_apart(strings: Sequence[bytes]) -> dict[str, bytes]:
    names, sizes, values = strings
    messages, at = {}, 0
    for name, size in zip(names.decode().split("\x1f"), sizes.split(b","), strict=True):
        end = at + int(size)
        messages[name] = values[at:end]
        at = end
    return messages


def _key(row: Row) -> bytes:
    return row.key


def _parameters(row: Row) -> list[Any]:
    told = [row.key, _to_epoch(row.event), _to_epoch(row.created)]
    for pair in zip(row.messages, row.texts, strict=True):
        told += pair
    return told


@lru_cache(maxsize=100_000)
def _to_epoch(moment: int) -> int:
    """Feast takes the naive UTC time for a local one, and stores the seconds of that."""
    naive = datetime.fromtimestamp(moment // 1_000_000, UTC).replace(tzinfo=None)
    return int(naive.timestamp())  # so does whoever reads


@lru_cache(maxsize=100_000)
def _from_epoch(stored: int) -> int:
    naive = datetime.fromtimestamp(stored)  # noqa: DTZ006
    return int(naive.replace(tzinfo=UTC).timestamp()) * 1_000_000
