"""The SQLite store: a table per kind of entity, a row per entity, a column per view.

All that is known of a shopper lies side by side, so that it is found by one search. A cell is the
moment that it tells of, the number of its set of features, and their values as one message of
Feast's, `RepeatedValue`. Which features a set has stands in a table of its own, once. Feast reads
and writes it all through `features.online.for_feast`.
"""

import sqlite3
import struct
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
_PAGE = 8_192  # bytes: of the default, half of a page with one shopper's embedding stays empty
_CACHE_KIB, _PAGES_IN_LOG = 32_768, 4_000
_KEYS_PER_QUERY = 10_000  # SQLite takes 32,766 parameters
_LATE = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}
_STEPS = 10_000  # of SQLite's machine between two looks at the clock; milliseconds
_KEY = "entity_key"
_HEAD = struct.Struct("<qI")  # of a cell: microseconds since 1970, and its set of features


class SqliteStore(OnlineStore):
    """One file; writers wait for each other, readers for nobody.

    Connected with a `timeout` in seconds, for looking up, a read ends within it.
    """

    def __init__(self, project: str, path: Path, timeout: float | None = None) -> None:
        super().__init__(project)
        self.path, self._timeout = path, timeout
        self._until = inf
        self._features: dict[int, tuple[str, ...]] = {}
        self._known: dict[str, str] = {}  # the table of a view

    def prepare(self, views: Sequence[View]) -> None:
        """Make the file and a place for each view, where there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as made:
            made.execute(f"PRAGMA page_size = {_PAGE}")  # of a file that is new
            made.execute("PRAGMA journal_mode=WAL")  # readers don't wait for writers
        with self._transaction():
            self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS {_quoted(self._sets)} "
                "(id INTEGER PRIMARY KEY, features TEXT NOT NULL UNIQUE)"
            )
            for view in views:
                table = self._table(view)
                key = f"{_KEY} BLOB PRIMARY KEY NOT NULL"
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS {_quoted(table)} ({key})")
                if view.name not in self._columns(table):
                    cell = f"{_quoted(view.name)} BLOB"
                    self._connection.execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN {cell}")

    def drop(self, views: Sequence[View]) -> None:
        """Remove views with all they tell."""
        with self._transaction():
            for view in self._there(views):
                table = self._table(view)
                self._connection.execute(
                    f"ALTER TABLE {_quoted(table)} DROP COLUMN {_quoted(view.name)}"
                )
                self._sweep(table)
        self._known.clear()

    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys."""
        self._until = monotonic() + (self._timeout or inf)
        try:
            return self._rows(self._there(views), keys)
        except sqlite3.OperationalError as error:
            if self._timeout and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LATE:
                raise too_late(self._timeout, str(self.path)) from error
            if "no such" not in str(error):  # table, or column
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
        """Remove what views tell of a key, and the key with the last of them."""
        with self._transaction():
            found = self.read(views, [key])
            for table, names in self._tables(self._there(views)).items():
                nothing = ", ".join(f"{_quoted(name)} = NULL" for name in names)
                self._connection.execute(
                    f"UPDATE {_quoted(table)} SET {nothing} WHERE {_KEY} = ?",  # noqa: S608
                    (key,),
                )
                self._sweep(table, key)
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
        """Those views that have a column; one that is there is not asked for again."""
        for view in views:
            if view.name not in self._known:
                table = self._table(view)
                if view.name in self._columns(table):
                    self._known[view.name] = table
        return [view for view in views if view.name in self._known]

    def _rows(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Ask for all views of an entity at once: they lie side by side."""
        found: dict[str, Mapping[bytes, Stored]] = {}
        for table, names in self._tables(views).items():
            lines: dict[bytes, Sequence[Any]] = {}
            for first in range(0, len(keys), _KEYS_PER_QUERY):
                part = keys[first : first + _KEYS_PER_QUERY]
                query = _query(table, names, self._sets, len(part))
                read = self._connection.execute(query, part).fetchall()
                lines.update((line[0], line) for line in read)
                if read and read[0][-1] not in self._features:
                    self._learn()
            for at, name in enumerate(names, start=1):
                found[name] = _Cells(lines, at, self._features)
        return found

    def _learn(self) -> None:
        """Read the sets of features; what was read of them stays true, as none is ever changed."""
        sets = f"SELECT id, features FROM {_quoted(self._sets)}"  # noqa: S608
        for number, names in self._connection.execute(sets):
            self._features[number] = tuple(names.split("\n"))

    def _write(self, view: View, rows: Sequence[Row]) -> None:
        """Write in the order of the index."""
        names = ("\n".join(view.names),)
        execute, sets, cell = self._connection.execute, _quoted(self._sets), _quoted(view.name)
        execute(f"INSERT OR IGNORE INTO {sets} (features) VALUES (?)", names)  # noqa: S608
        (of,) = execute(f"SELECT id FROM {sets} WHERE features = ?", names).fetchone()  # noqa: S608
        self._connection.executemany(
            f"INSERT INTO {_quoted(self._table(view))} ({_KEY}, {cell}) VALUES (?, ?) "  # noqa: S608
            f"ON CONFLICT ({_KEY}) DO UPDATE SET {cell} = excluded.{cell}",
            ((row.key, _HEAD.pack(row.event, of) + row.packed) for row in sorted(rows, key=_key)),
        )

    def _sweep(self, table: str, key: bytes | None = None) -> None:
        """Remove keys, or one, of which no view tells any more: they tell of people, too."""
        empty = [f"{_quoted(name)} IS NULL" for name in self._columns(table) if name != _KEY]
        if key is not None:
            empty.append(f"{_KEY} = :key")
        self._connection.execute(
            f"DELETE FROM {_quoted(table)} WHERE {' AND '.join(empty) or True}",  # noqa: S608
            {"key": key},
        )

    def _tables(self, views: Sequence[View]) -> dict[str, tuple[str, ...]]:
        """The names of views that are there, by their table."""
        tables: dict[str, list[str]] = {}
        for view in views:
            tables.setdefault(self._known[view.name], []).append(view.name)
        return {table: tuple(names) for table, names in tables.items()}

    def _columns(self, table: str) -> list[str]:
        asked = "SELECT name FROM pragma_table_info(?)"
        return [name for (name,) in self._connection.execute(asked, (table,))]

    @cached_property
    def _sets(self) -> str:
        """The table of the sets of features; no entity is called like it, names have no dots."""
        return f"{self.project}_.features"

    def _table(self, view: View) -> str:
        return f"{self.project}_{view.join_key}"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


@lru_cache(maxsize=64)
def _query(table: str, names: tuple[str, ...], sets: str, keys: int) -> str:
    """A line per key that is there: its cells, and the newest set of features there is.

    Cells are asked for with their table: a name of nothing alone would be a text to SQLite.
    """
    cells = ", ".join(f"e.{_quoted(name)}" for name in names)
    newest = f"(SELECT max(id) FROM {_quoted(sets)})"  # noqa: S608
    asked = ",".join("?" * keys)
    return f"SELECT e.{_KEY}, {cells}, {newest} FROM {_quoted(table)} e WHERE e.{_KEY} IN ({asked})"  # noqa: S608


class _Cells(Mapping[bytes, Stored]):
    """A view's rows among the lines of an entity, made when somebody asks for them."""

    __slots__ = ("_at", "_features", "_lines")

    def __init__(
        self, lines: Mapping[bytes, Sequence[Any]], at: int, features: Mapping[int, tuple[str, ...]]
    ) -> None:
        self._lines, self._at, self._features = lines, at, features

    def get(self, key: bytes, default: Any = None) -> Any:
        """The row, or the default: without an error in between, as most are new when written."""
        line = self._lines.get(key)
        if line is None or (cell := line[self._at]) is None:
            return default
        event, features = _HEAD.unpack_from(cell)
        return _Packed(event, (self._features[features], cell[_HEAD.size :]), by_name)

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
    return home / "online_rows.sqlite"


def remove_former(home: Path) -> None:
    """Remove files of former layouts, with all they tell of people: nobody reads them any more."""
    for name in ("online.db", "online.sqlite"):
        for end in ("", "-wal", "-shm"):
            (home / f"{name}{end}").unlink(missing_ok=True)
