"""The SQLite store: a table per kind of entity, and in it all that is known of one in one row.

A row stands at the number that a checksum of its key gives, or at one of the next where others
have that, so that one is found by counting and not by comparing. It holds the key and a cell per
view: the number of a definition, how long the values are, the moment they tell of, and the values
as one message of Feast's, `RepeatedValue`. A definition, the features of a view in their order, is
told once, in a table of its own that is only ever added to. Feast reads and writes it all through
`features.online.for_feast`.
"""

import sqlite3
import struct
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any
from zlib import crc32

from features.errors import StoreError, too_late
from features.online.base import Changes, Found, OnlineStore
from features.online.layout import Row, Stored, View, by_name

_PATIENCE = 30.0  # seconds to wait for another writer
_PAGE = 8_192  # bytes: of the default, half of a page with one shopper's embedding stays empty
_CACHE_KIB, _PAGES_IN_LOG = 32_768, 4_000
_NUMBERS_PER_QUERY = 10_000  # SQLite takes 32,766 parameters
_ROWS_PER_SWEEP = 1_000
_BEYOND = 1 << 62  # any row's number
_LATE = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}
_STEPS = 10_000  # of SQLite's machine between two looks at the clock; milliseconds
_KEY = struct.Struct("<I")  # how long the key is, which comes next
_CELL = struct.Struct("<IIq")  # its definition, the bytes of its values, microseconds since 1970
_LATEST = -1  # no row's number: they are counted from nought

Place = tuple[Mapping[bytes, bytes], Mapping[bytes, int]]
"""The rows that there are, by key, and the numbers of all keys, also of those to come."""


class SqliteStore(OnlineStore):
    """One file; writers wait for each other, readers for nobody.

    Connected with a `timeout` in seconds, for looking up, a read ends within it.
    """

    def __init__(self, project: str, path: Path, timeout: float | None = None) -> None:
        super().__init__(project)
        self.path, self._timeout = path, timeout
        self._until = inf
        self._latest: int | None = None  # the last definition that is known
        self._defined: dict[str, dict[int, tuple[str, ...]]] = {}  # by view

    def prepare(self, views: Sequence[View]) -> None:
        """Make the file and a place for each view, where there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as made:
            made.execute(f"PRAGMA page_size = {_PAGE}")  # of a file that is new
            made.execute("PRAGMA journal_mode=WAL")  # readers don't wait for writers
        with self._transaction():
            self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._definitions} "
                "(id INTEGER PRIMARY KEY, view TEXT NOT NULL, features TEXT)"
            )
            self._learn()
            for view in views:
                self._connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {self._table(view.join_key)} "
                    "(id INTEGER PRIMARY KEY, told BLOB NOT NULL)"
                )
                self._define(view)

    def drop(self, views: Sequence[View]) -> None:
        """Remove views with all they tell."""
        with self._transaction():
            self._learn()
            for view in views:
                if gone := self._defined.get(view.name):
                    self._sweep(self._table(view.join_key), gone)
                    self._tell(view.name, None)

    def order(self, key: bytes) -> int:
        """Where the key's row should be."""
        return crc32(key)

    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys."""
        self._until = monotonic() + (self._timeout or inf)
        try:
            return self._by_view(views, {name: self._find(name, keys) for name in _entities(views)})
        except sqlite3.OperationalError as error:
            if self._timeout and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LATE:
                raise too_late(self._timeout, str(self.path)) from error
            raise

    def change(
        self,
        views: Sequence[View],
        keys: Sequence[bytes],
        decide: Callable[[Found], Changes],
    ) -> Changes:
        """Read, decide and write in one transaction that no other writer can enter."""
        with self._transaction():
            places = {name: self._find(name, keys) for name in _entities(views)}
            changes = decide(self._by_view(views, places))
            for name, place in places.items():
                of = [view for view in views if view.join_key == name]
                self._write(name, place, self._cells(of, changes))
        return changes

    def erase(self, views: Sequence[View], key: bytes) -> Mapping[str, int]:
        """Remove what views tell of a key, and the key with the last of them."""
        with self._transaction():
            places = {name: self._find(name, [key]) for name in _entities(views)}
            found = self._by_view(views, places)
            gone = {of for view in found for of in self._defined[view]}
            for name, (rows, numbers) in places.items():
                if told := rows.get(key):
                    self._take(self._table(name), numbers[key], told, gone)
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
        self._until = inf
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            self._latest = None  # what was defined here is not: its number may be another's next
            self._defined.clear()
            raise
        self._connection.execute("COMMIT")

    def _by_view(self, views: Sequence[View], places: Mapping[str, Place]) -> Found:
        """Rows of entities as those of the views that are there."""
        return {
            view.name: _Cells(places[view.join_key][0], self._defined[view.name])
            for view in views
            if view.name in self._defined
        }

    def _find(self, entity: str, keys: Sequence[bytes]) -> Place:
        """Look for each key where it should be, and further on as long as others are there."""
        table, rows, numbers = self._table(entity), {}, {}
        left = dict(zip(keys, map(crc32, keys), strict=True))
        while left:
            there = self._at(table, [*left.values()])
            numbers.update(left)
            further = {}
            for key, number in left.items():
                if (told := there.get(number)) is None:
                    continue
                if told.startswith(key, _KEY.size):
                    rows[key] = told
                else:
                    further[key] = number + 1
            left = further
        return rows, numbers

    def _at(self, table: str, numbers: Sequence[int]) -> dict[int, bytes]:
        """Read rows by their numbers, and learn what was defined since the last time."""
        found: dict[int, Any] = {}
        try:
            for first in range(0, len(numbers), _NUMBERS_PER_QUERY):
                part = numbers[first : first + _NUMBERS_PER_QUERY]
                query = _query(self._definitions, table, len(part))
                found.update(self._connection.execute(query, part))
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return {}
        if found.pop(_LATEST, None) != self._latest:
            self._learn()
        return found

    def _learn(self) -> None:
        """Read the definitions that are new; none is ever changed."""
        asked = f"SELECT id, view, features FROM {self._definitions} WHERE id > ? ORDER BY id"  # noqa: S608
        for number, view, names in self._connection.execute(asked, (self._latest or 0,)).fetchall():
            self._latest = number
            if names is None:
                self._defined.pop(view, None)
            else:
                self._defined.setdefault(view, {})[number] = _lines(names)

    def _define(self, view: View) -> int:
        """The number of a view's definition, which is told if it is new."""
        for number, names in self._defined.get(view.name, {}).items():
            if names == view.names:
                return number
        self._tell(view.name, "\n".join(view.names))
        return self._define(view)

    def _tell(self, view: str, features: str | None) -> None:
        self._connection.execute(
            f"INSERT INTO {self._definitions} (view, features) VALUES (?, ?)",  # noqa: S608
            (view, features),
        )
        self._learn()

    def _cells(self, views: Sequence[View], changes: Changes) -> dict[bytes, dict[str, bytes]]:
        """New cells, by key and view."""
        cells: dict[bytes, dict[str, bytes]] = {}
        for view in views:
            if rows := changes.get(view.name, ()):
                of = self._define(view)
                for row in rows:
                    head = _CELL.pack(of, len(row.packed), row.event)
                    cells.setdefault(row.key, {})[view.name] = head + row.packed
        return cells

    def _write(self, entity: str, place: Place, cells: Mapping[bytes, Mapping[str, bytes]]) -> None:
        """Write rows in the order of the table, each with the cells that stay."""
        (rows, numbers), lines, later = place, {}, {}
        for key, new in cells.items():
            if (number := numbers[key]) in lines:  # two new ones have one place
                later[key] = new
                continue
            stay = _apart(rows[key]) if key in rows else {}
            for of in (of for view in new for of in self._defined[view]):
                stay.pop(of, None)
            lines[number] = _row(key, [*stay.values(), *new.values()])
        table = self._table(entity)
        self._connection.executemany(
            f"REPLACE INTO {table} (id, told) VALUES (?, ?)",  # noqa: S608
            sorted(lines.items()),
        )
        if later:
            self._write(entity, self._find(entity, [*later]), later)

    def _take(self, table: str, number: int, told: bytes, gone: Container[int]) -> None:
        """Take cells out of a row; with the last of them goes its key, which names somebody."""
        cells = _apart(told)
        stay = [cell for of, cell in cells.items() if of not in gone]
        if len(stay) == len(cells):
            return
        (key,) = _KEY.unpack_from(told)
        self._put(table, number, _row(told[_KEY.size : _KEY.size + key], stay) if stay else b"")

    def _put(self, table: str, number: int, told: bytes) -> None:
        """Change a row or remove it; where others are looked for past it, an empty one stays."""
        execute = self._connection.execute
        if told or self._row_at(table, number + 1) is not None:
            execute(f"UPDATE {table} SET told = ? WHERE id = ?", (told, number))  # noqa: S608
            return
        execute(f"DELETE FROM {table} WHERE id = ?", (number,))  # noqa: S608
        if self._row_at(table, number - 1) == b"":  # nobody looks past it any more
            self._put(table, number - 1, b"")

    def _row_at(self, table: str, number: int) -> bytes | None:
        asked = f"SELECT told FROM {table} WHERE id = ?"  # noqa: S608
        (told,) = self._connection.execute(asked, (number,)).fetchone() or (None,)
        return told

    def _sweep(self, table: str, gone: Container[int]) -> None:
        """Take cells out of all rows, the last first: what it leaves empty nobody looks past."""
        part = f"SELECT id, told FROM {table} WHERE id < ? ORDER BY id DESC LIMIT {_ROWS_PER_SWEEP}"  # noqa: S608
        last = _BEYOND
        while rows := self._connection.execute(part, (last,)).fetchall():
            for number, told in rows:
                if told:
                    self._take(table, number, told, gone)
            last = rows[-1][0]

    @cached_property
    def _definitions(self) -> str:
        """The table of definitions; no entity is called like it, names have no dots."""
        return _quoted(f"{self.project}_.definitions")

    def _table(self, entity: str) -> str:
        return _quoted(f"{self.project}_{entity}")


def _entities(views: Sequence[View]) -> set[str]:
    return {view.join_key for view in views}


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _lines(names: str) -> tuple[str, ...]:
    return tuple(names.split("\n")) if names else ()


@lru_cache(maxsize=64)
def _query(definitions: str, table: str, numbers: int) -> str:
    """The latest definition, and the rows that are there."""
    asked = ",".join("?" * numbers)
    return (
        f"SELECT {_LATEST}, max(id) FROM {definitions} UNION ALL "  # noqa: S608
        f"SELECT id, told FROM {table} WHERE id IN ({asked})"
    )


def _row(key: bytes, cells: Sequence[bytes]) -> bytes:
    return b"".join((_KEY.pack(len(key)), key, *cells))


def _walk(told: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of each cell in a row its definition, its moment, and where its values begin and end."""
    end = _KEY.size + _KEY.unpack_from(told)[0]
    while end < len(told):
        of, size, event = _CELL.unpack_from(told, end)
        begin = end + _CELL.size
        end = begin + size
        yield of, event, begin, end


def _apart(told: bytes) -> dict[int, bytes]:
    """The cells of a row by their definition, each with its head."""
    return {of: told[begin - _CELL.size : end] for of, _, begin, end in _walk(told)}


class _Cells(Mapping[bytes, Stored]):
    """A view's cells in the rows of its entity, each looked for when somebody asks."""

    __slots__ = ("_definitions", "_rows")

    def __init__(
        self, rows: Mapping[bytes, bytes], definitions: Mapping[int, tuple[str, ...]]
    ) -> None:
        self._rows, self._definitions = rows, definitions

    def get(self, key: bytes, default: Any = None) -> Any:
        """The row, or the default: without an error in between, as most are new when written."""
        if (told := self._rows.get(key)) is None:
            return default
        for of, event, begin, end in _walk(told):
            if (names := self._definitions.get(of)) is not None:
                return _Packed(event, (names, told[begin:end]), by_name)
        return default

    def __getitem__(self, key: bytes) -> Stored:
        if (row := self.get(key)) is None:
            raise KeyError(key)
        stored: Stored = row
        return stored

    def __iter__(self) -> Iterator[bytes]:
        return (key for key in self._rows if self.get(key) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Packed(Stored):
    """A row as it is written: two are compared as they stand."""

    __slots__ = ()

    def says(self, row: Row, view: View) -> bool:
        """Whether it holds the values of a row, all of them."""
        names, packed = self._raw
        return bool(packed == row.packed) if names == view.names else super().says(row, view)


def file_of(home: Path) -> Path:
    """Where the store of a home is."""
    return home / "online_entities.sqlite"


def remove_former(home: Path) -> None:
    """Remove files of former layouts, with all they tell of people: nobody reads them any more."""
    for name in ("online.db", "online.sqlite", "online_rows.sqlite"):
        for end in ("", "-wal", "-shm"):
            (home / f"{name}{end}").unlink(missing_ok=True)
