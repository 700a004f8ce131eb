"""Feast's PostgreSQL store: a table per view, a row per entity and feature."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from features.errors import extra
from features.online.base import Changes, Found, OnlineStore
from features.online.layout import Row, Stored, View
from features.online.values import apart

with extra("features"):
    import psycopg
    from psycopg import sql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PostgresStore(OnlineStore):
    """One schema of a database; writers of a project take turns."""

    def __init__(self, project: str, options: Mapping[str, Any]) -> None:
        super().__init__(project)
        self._options = options
        self._known: set[str] = set()

    @cached_property
    def _connection(self) -> Any:
        return psycopg.connect(**self._options, autocommit=True)

    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys, in one query."""
        there = self._there(views)
        found: dict[str, dict[bytes, Stored]] = {view.name: {} for view in there}
        if there:
            rows = self._connection.execute(self._query(there), [[*keys]] * len(there), binary=True)
            for at, key, event, names, messages in rows:
                row = Stored(_micros(event), (names, messages), _named)
                found[there[at].name][key] = row
        return found

    def _there(self, views: Sequence[View]) -> list[View]:
        """Those views that have a table; one that is there is not asked for again."""
        missing = [view for view in views if view.name not in self._known]
        for view in missing:
            asked = "SELECT to_regclass(quote_ident(%s))"
            name = f"{self.project}_{view.name}"
            if self._connection.execute(asked, [name]).fetchone()[0] is not None:
                self._known.add(view.name)
        return [view for view in views if view.name in self._known]

    def change(
        self,
        views: Sequence[View],
        keys: Sequence[bytes],
        decide: Callable[[Found], Changes],
    ) -> Changes:
        """Read, decide and write in one transaction, while other writers wait for their turn."""
        with self._connection.transaction():
            self._connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{self.project}_online"]
            )
            changes = decide(self.read(views, keys))
            for view in views:
                if rows := changes.get(view.name, ()):
                    self._write(view, rows)
        return changes

    def erase(self, views: Sequence[View], key: bytes) -> Mapping[str, int]:
        """Remove a key's rows."""
        with self._connection.transaction():
            return {
                view.name: self._connection.execute(
                    sql.SQL("DELETE FROM {} WHERE entity_key = %s").format(self._table(view)), [key]
                ).rowcount
                for view in views
            }

    def close(self) -> None:
        """Let go of the connection."""
        if connection := self.__dict__.pop("_connection", None):
            connection.close()

    def _write(self, view: View, rows: Sequence[Row]) -> None:
        names = [*view.names]
        width = len(names)
        messages = [apart(row.packed) for row in rows]
        self._connection.execute(
            sql.SQL(
                "INSERT INTO {} (entity_key, feature_name, value, value_text, event_ts, created_ts)"
                " SELECT * FROM unnest(%b::bytea[], %b::text[], %b::bytea[], %b::text[],"
                " %b::timestamptz[], %b::timestamptz[])"
                " ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value,"
                " value_text = excluded.value_text, event_ts = excluded.event_ts,"
                " created_ts = excluded.created_ts"
            ).format(self._table(view)),
            [
                [row.key for row in rows for _ in range(width)],
                names * len(rows),
                [message for each in messages for message in each],
                [text for each in messages for text in view.texts(each)],
                [_datetime(row.event) for row in rows for _ in range(width)],
                [_datetime(row.created) for row in rows for _ in range(width)],
            ],
        )

    def _query(self, views: Sequence[View]) -> Any:
        each = (
            "SELECT {}, entity_key, max(event_ts), array_agg(feature_name), array_agg(value) "
            "FROM {} WHERE entity_key = ANY(%b) GROUP BY entity_key"
        )
        return sql.SQL(" UNION ALL ").join(
            sql.SQL(each).format(sql.Literal(at), self._table(view))
            for at, view in enumerate(views)
        )

    def _table(self, view: View) -> Any:
        return sql.Identifier(f"{self.project}_{view.name}")


def _named(raw: tuple[Sequence[str], Sequence[bytes]]) -> dict[str, bytes]:
    return dict(zip(*raw, strict=True))


@lru_cache(maxsize=100_000)
def _datetime(moment: int) -> datetime:
    return _EPOCH + moment * _MICROSECOND


@lru_cache(maxsize=100_000)
def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
