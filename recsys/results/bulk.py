"""PostgreSQL's bulk path: rows by COPY into a table of the transaction, then one upsert from it."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from recsys.results.models import Base

_ASIDE = "bulk_aside"


def copies(connection: Connection) -> bool:
    """Whether the database has this path."""
    return connection.dialect.name == "postgresql"


def copy_upsert(connection: Connection, model: type[Base], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows, given in the order of the table's columns; overwrite those with their keys."""
    table: Any = model.__table__
    quote = connection.dialect.identifier_preparer.quote
    names = [quote(column.name) for column in table.columns]
    key = [quote(column.name) for column in table.primary_key]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    whole, columns = quote(table.name), ", ".join(names)
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_ASIDE} (LIKE {whole}) ON COMMIT DELETE ROWS"
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor().copy(f"COPY {_ASIDE} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.exec_driver_sql(
        f"INSERT INTO {whole} ({columns}) SELECT {columns} FROM {_ASIDE} "  # noqa: S608 - ours
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    )
    connection.exec_driver_sql(f"TRUNCATE {_ASIDE}")
