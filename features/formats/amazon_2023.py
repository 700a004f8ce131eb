"""Amazon Reviews 2023: JSON reviews and JSON items, keyed by the parent product."""

from features.errors import extra
from features.formats import columns
from features.formats.base import RecordFormat, Table, register
from features.formats.simple import Texts, of_json

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

_REVIEW = ("user_id", "parent_asin", "asin", "rating", "timestamp")
_ITEM = ("parent_asin", "asin", "title", "main_category", "categories", "price", "store")
_IN_ITEMS = frozenset({"title", "main_category", "categories", "price", "store"})


@register
class Amazon2023(RecordFormat):
    """Reviews and items as JSON lines; variants of a product share its parent's id."""

    name = "amazon-2023"
    about = "JSON reviews with user_id, parent_asin, timestamp; JSON items with parent_asin, store"

    def table_of(self, keys: frozenset[str]) -> Table | None:
        """Tell by the keys."""
        if "user_id" in keys:
            return Table.PURCHASES if {"timestamp", "rating"} <= keys else None
        return Table.ITEMS if "parent_asin" in keys and keys & _IN_ITEMS else None

    def purchases(self, lines: DataFrame, header: str) -> DataFrame:  # noqa: ARG002
        """Read JSON."""
        row = F.col("row")
        return columns.with_json_row(lines, "value", _REVIEW).withColumns(
            {
                "readable": row.isNotNull(),
                "user": row["user_id"],
                "item": _parent(),
                "rating": row["rating"],
                "dated": columns.given(row["timestamp"]).isNotNull(),
                "millis": columns.number(row["timestamp"]),
            }
        )

    def fields(self, header: str) -> tuple[str, ...]:  # noqa: ARG002
        """The keys that are read."""
        return _REVIEW

    def simple(self, line: str, header: str) -> Texts | None:  # noqa: ARG002
        """Read JSON whose values are texts and numbers, each told once."""
        return of_json(line, _REVIEW, ids=("user_id", "parent_asin", "asin"))

    def items(self, lines: DataFrame, header: str) -> DataFrame:  # noqa: ARG002
        """Read JSON; without a path the main category is all of it."""
        row = F.col("row")
        path = columns.json_texts(row["categories"])
        main = F.when(row["main_category"].isNotNull(), F.array(row["main_category"]))
        return columns.with_json_row(lines, "value", _ITEM).withColumns(
            {
                "readable": row.isNotNull(),
                "item": _parent(),
                "title": row["title"],
                "brand": row["store"],
                "price": row["price"],
                "path": F.when(F.size(path) > 0, path).otherwise(main),
            }
        )


def _parent() -> Column:
    return F.coalesce(columns.given(F.col("row.parent_asin")), F.col("row.asin"))
