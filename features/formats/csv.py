"""Amazon Reviews 2023 as CSV: user_id, parent_asin, rating, timestamp; items come as JSON."""

import csv
from collections.abc import Sequence

from features.errors import extra
from features.formats import columns
from features.formats.base import RawFormat, Table, register

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

_NEEDED = ("user_id", "parent_asin", "rating", "timestamp")
_KNOWN_AT = "known_at"


@register
class Csv(RawFormat):
    """Reviews as comma-separated values under a header; more columns may follow, in any order."""

    name = "csv"
    about = (
        f"CSV reviews whose first line names {', '.join(_NEEDED)}; {_KNOWN_AT} if rows come late"
    )
    tables = frozenset({Table.PURCHASES})
    header = True

    def recognise(self, head: Sequence[str]) -> Table | None:
        """Look at the header."""
        names = _names(head[0]) if head else []
        return Table.PURCHASES if all(names.count(name) == 1 for name in _NEEDED) else None

    def purchases(self, lines: DataFrame, header: str) -> DataFrame:
        """Read CSV; the rating may be empty, and so may the time at which a row became known."""
        row, names = F.col("row"), _names(header)
        late = row[_KNOWN_AT] if names.count(_KNOWN_AT) == 1 else F.lit(None).cast("string")
        return lines.withColumn("row", _csv_row(names)).withColumns(
            {
                "readable": row["broken"].isNull(),
                "user": row["user_id"],
                "item": row["parent_asin"],
                "rating": row["rating"],
                "dated": columns.given(row["timestamp"]).isNotNull(),
                "millis": columns.number(row["timestamp"]),
                "known": late,
            }
        )


def _names(header: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header]), [])]
    except csv.Error:
        return []


def _csv_row(names: Sequence[str]) -> Column:
    """Read the line as a struct of texts; `broken` is set where its columns can't be told apart."""
    read = {*_NEEDED, *([_KNOWN_AT] if names.count(_KNOWN_AT) == 1 else [])}
    known = [name if name in read else f"other{i}" for i, name in enumerate(names)]
    schema = ", ".join(f"{name} string" for name in [*known, "broken"])
    options = {"escape": '"', "columnNameOfCorruptRecord": "broken", "mode": "PERMISSIVE"}
    return F.from_csv(F.col("value"), schema, options)
