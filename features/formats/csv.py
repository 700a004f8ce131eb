"""Amazon Reviews 2023 as CSV: user_id, parent_asin, rating, timestamp; items come as JSON."""

import csv
from collections.abc import Sequence

from features.errors import extra
from features.formats import columns
from features.formats.base import RawFormat, Table, register
from features.formats.simple import Texts, of_csv

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

_NEEDED = ("user_id", "parent_asin", "rating", "timestamp")
_KNOWN_AT = "known_at"
_BROKEN = "broken"


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
        late = row[_KNOWN_AT] if _KNOWN_AT in _read(names) else F.lit(None).cast("string")
        rows = lines if "row" in lines.columns else lines.withColumn("row", _csv_row(names))
        return rows.withColumns(
            {
                "readable": row[_BROKEN].isNull(),
                "user": row["user_id"],
                "item": row["parent_asin"],
                "rating": row["rating"],
                "dated": columns.given(row["timestamp"]).isNotNull(),
                "millis": columns.number(row["timestamp"]),
                "known": late,
            }
        )

    def fields(self, header: str) -> tuple[str, ...]:
        """The columns that are read, and what is set where they can't be told apart."""
        return (*_read(_names(header)), _BROKEN)

    def simple(self, line: str, header: str) -> Texts | None:
        """Cut the line at its commas, where nothing is quoted."""
        names = _names(header)
        return of_csv(line, names, _read(names))


def _names(header: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header]), [])]
    except csv.Error:
        return []


def _read(names: Sequence[str]) -> tuple[str, ...]:
    return (*_NEEDED, *([_KNOWN_AT] if names.count(_KNOWN_AT) == 1 else []))


def _csv_row(names: Sequence[str]) -> Column:
    """Read the line as a struct of texts; `broken` is set where its columns can't be told apart."""
    read = _read(names)
    known = [name if name in read else f"other{i}" for i, name in enumerate(names)]
    schema = ", ".join(f"{name} string" for name in [*known, _BROKEN])
    options = {"escape": '"', "columnNameOfCorruptRecord": _BROKEN, "mode": "PERMISSIVE"}
    return F.from_csv(F.col("value"), schema, options)
