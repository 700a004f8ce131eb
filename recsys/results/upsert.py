"""Insert or overwrite, in the words of the database at hand."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from recsys.results.models import Base


def upsert(
    connection: Connection,
    model: type[Base],
    rows: list[dict[str, Any]],
    keep: Collection[str] = (),
) -> None:
    """Insert rows; where the key is there already, overwrite all columns but `keep`."""
    if not rows:
        return
    table: Any = model.__table__
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table)
    key = [column.name for column in table.primary_key]
    changed = {
        column.name: insert.excluded[column.name]
        for column in table.columns
        if column.name not in {*key, *keep}
    }
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed), rows)
