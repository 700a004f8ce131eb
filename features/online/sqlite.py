"""The SQLite store: a table per view, a row per entity, its values in one message of Feast's.

Feast's own SQLite store has a row per entity and feature, each of them in three B-trees. Here a row
is Feast's `RepeatedValue`: the values of all features, one after another. Which features these are
stands in a table of its own, once, and the row says where. Feast reads and writes it all through
`features.online.for_feast`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from features.errors import StoreError, too_late
from features.online.base import Changes, Found, OnlineStore
from features.online.layout import Row, Stored, View, by_name

_PATIENCE = 30.0  # seconds to wait for another writer
_CACHE_KIB, _PAGES_IN_LOG = 32_768, 8_000
_FEW = 20  # keys, for which it pays to ask as few things as possible
_KEYS_PER_QUERY = 10_000  # SQLite takes 32,766 parameters
_LATE = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}
_STEPS = 10_000  # of SQLite's machine between two looks at the clock; milliseconds


class SqliteStore(OnlineStore):
    """One file; writers wait for each other, readers for nobody.

    Connected with a `timeout` in seconds, for looking up, a read ends within it.
    """

    def __init__(self, project: str, path: Path, timeout: float | None = None) -> None:
        super().__init__(project)
        self.path, self._timeout = path, timeout
        self._until = inf
        self._features: dict[int, tuple[str, ...]] = {}
        self._known: dict[str, str] = {}

    def prepare(self, views: Sequence[str]) -> None:
        """Make the file and a place for each view, where there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as made, made:
            made.execute("PRAGMA journal_mode=WAL")  # readers don't wait for writers
            made.execute(
                f"CREATE TABLE IF NOT EXISTS {self._sets} "
                "(id INTEGER PRIMARY KEY, features TEXT NOT NULL UNIQUE)"
            )
            for view in views:
                made.execute(
                    f"CREATE TABLE IF NOT EXISTS {self._table(view)} (entity_key BLOB PRIMARY KEY "
                    "NOT NULL, event INTEGER NOT NULL, created INTEGER NOT NULL, "
                    "features INTEGER NOT NULL, row BLOB NOT NULL)"
                )

    def drop(self, views: Sequence[str]) -> None:
        """Remove views with all their rows."""
        with self._transaction():
            for view in views:
                self._connection.execute(f"DROP TABLE IF EXISTS {self._table(view)}")

    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys."""
        self._until = monotonic() + (self._timeout or inf)
        try:
            return self._rows(self._there(views), keys)
        except sqlite3.OperationalError as error:
            if self._timeout and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LATE:
                raise too_late(self._timeout, str(self.path)) from error
            if "no such table" not in str(error):
                raise
            self._known.clear()  # a view was removed since
            return self._rows(self._there(views), keys)

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
                if rows := changes.get(view.name, ()):
                    self._write(view, rows)
        return changes

    def erase(self, views: Sequence[View], key: bytes) -> Mapping[str, int]:
        """Remove a key's rows."""
        with self._transaction():
            found = self.read(views, [key])
            for name in found:  # a view that was never applied holds nothing
                self._connection.execute(
                    f"DELETE FROM {self._table(name)} WHERE entity_key = ?",  # noqa: S608
                    (key,),
                )
        return {name: len(rows[key].messages) if rows else 0 for name, rows in found.items()}

    def close(self) -> None:
        """Let go of the file."""
        if connection := self.__dict__.pop("_connection", None):
            connection.close()

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
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_IN_LOG}")
        if self._timeout:
            connection.set_progress_handler(lambda: monotonic() > self._until, _STEPS)
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _there(self, views: Sequence[View]) -> list[View]:
        """Those views that have a table; one that is there is not asked for again."""
        for view in views:
            if view.name not in self._known:
                asked = "SELECT count(*) FROM sqlite_master WHERE name = ?"
                name = f"{self.project}_{view.name}"
                if self._connection.execute(asked, (name,)).fetchone()[0]:
                    self._known[view.name] = self._table(view.name)
        return [view for view in views if view.name in self._known]

    def _rows(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Ask for all views at once: to start a query takes longer than to find a row.

        Of many keys, an empty view is not asked, and neighbours are asked for one after another.
        """
        asked = views
        if len(keys) > _FEW:
            asked, keys = [view for view in views if self._any(view)], sorted(keys)
        tables = tuple(self._known[view.name] for view in asked)
        lines: dict[bytes, Sequence[Any]] = {}
        for first in range(0, len(keys) if asked else 0, _KEYS_PER_QUERY):
            part = keys[first : first + _KEYS_PER_QUERY]
            for line in self._connection.execute(_query(tables, len(part)), part).fetchall():
                lines[line[0]] = line
        for of in {line[3 * at + 2] for line in lines.values() for at in range(len(asked))}:
            if of is not None and of not in self._features:
                self._features_of(of)
        found: dict[str, Mapping[bytes, Stored]] = {view.name: {} for view in views}
        for at, view in enumerate(asked):
            found[view.name] = _Cells(lines, 3 * at + 1, self._features)
        return found

    def _any(self, view: View) -> bool:
        """Whether a view has a row."""
        table = self._known[view.name]
        asked = f"SELECT EXISTS (SELECT 1 FROM {table})"  # noqa: S608
        return bool(self._connection.execute(asked).fetchone()[0])

    def _features_of(self, number: int) -> tuple[str, ...]:
        """Look up a set of features; what was read of it stays true, as sets are never changed."""
        asked = f"SELECT features FROM {self._sets} WHERE id = ?"  # noqa: S608
        (names,) = self._connection.execute(asked, (number,)).fetchone()
        return self._features.setdefault(number, tuple(names.split("\n")))

    def _write(self, view: View, rows: Sequence[Row]) -> None:
        """Write in the order of the index."""
        names = ("\n".join(view.names),)
        execute, sets = self._connection.execute, self._sets
        execute(f"INSERT OR IGNORE INTO {sets} (features) VALUES (?)", names)  # noqa: S608
        (of,) = execute(f"SELECT id FROM {sets} WHERE features = ?", names).fetchone()  # noqa: S608
        self._connection.executemany(
            f"INSERT INTO {self._table(view.name)} (entity_key, event, created, features, row) "  # noqa: S608
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (entity_key) DO UPDATE SET event = excluded.event, "
            "created = excluded.created, features = excluded.features, row = excluded.row",
            ((row.key, row.event, row.created, of, row.packed) for row in sorted(rows, key=_key)),
        )

    @cached_property
    def _sets(self) -> str:
        """The table of the sets of features; no view is called like it, names have no dots."""
        return self._table(".features")

    def _table(self, view: str) -> str:
        name = f"{self.project}_{view}".replace('"', '""')
        return f'"{name}"'


@lru_cache(maxsize=64)
def _query(tables: tuple[str, ...], keys: int) -> str:
    """A line per key: of each table the time, the features and the values, or nothing."""
    cells = (f"t{at}.event, t{at}.features, t{at}.row" for at in range(len(tables)))
    joined = (f"LEFT JOIN {name} t{at} ON t{at}.entity_key = k" for at, name in enumerate(tables))
    return (
        f"WITH asked(k) AS (VALUES {','.join(['(?)'] * keys)}) "  # noqa: S608
        f"SELECT k, {', '.join(cells)} FROM asked {' '.join(joined)}"
    )


class _Cells(Mapping[bytes, Stored]):
    """A view's rows among the lines of all views, made when somebody asks for them."""

    __slots__ = ("_at", "_features", "_lines")

    def __init__(
        self, lines: Mapping[bytes, Sequence[Any]], at: int, features: Mapping[int, tuple[str, ...]]
    ) -> None:
        self._lines, self._at, self._features = lines, at, features

    def get(self, key: bytes, default: Any = None) -> Any:
        """The row, or the default: without an error in between, as most are new when written."""
        line, at = self._lines.get(key), self._at
        if line is None or line[at] is None:
            return default
        return _Packed(line[at], (self._features[line[at + 1]], line[at + 2]), by_name)

    def __getitem__(self, key: bytes) -> Stored:
        if (row := self.get(key)) is None:
            raise KeyError(key)
        stored: Stored = row
        return stored

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, line in self._lines.items() if line[self._at] is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Packed(Stored):
    """A row as it is written: two are compared as they stand."""

    __slots__ = ()

    def says(self, row: Row, view: View) -> bool:
        """Whether it holds the values of a row, all of them."""
        names, packed = self._raw
        return bool(packed == row.packed) if names == view.names else super().says(row, view)


def _key(row: Row) -> bytes:
    return row.key


def file_of(home: Path) -> Path:
    """Where the store of a home is."""
    return home / "online.sqlite"


def remove_former(home: Path) -> None:
    """Remove a file of the former layout, with all it tells of people: nobody reads it any more."""
    for end in ("", "-wal", "-shm"):
        (home / f"online.db{end}").unlink(missing_ok=True)
