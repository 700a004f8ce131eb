"""Amazon review data, crawl of 2018: JSON reviews and JSON items, with page junk in the items."""

from features.errors import extra
from features.formats import columns
from features.formats.amazon_2014 import Reviews2014
from features.formats.base import Table, register

with extra("features"):
    from pyspark.sql import DataFrame
    from pyspark.sql import functions as F

_ITEM = ("asin", "title", "price", "brand", "category")
_IN_REVIEWS = frozenset({"verified", "vote", "style", "image"})
_IN_ITEMS = frozenset({"category", "main_cat", "also_buy", "also_view"})


@register
class Amazon2018(Reviews2014):
    """Reviews and items as JSON lines; the category is one flat path."""

    name = "amazon-2018"
    about = "JSON reviews with reviewerID, asin, overall, verified; JSON items with asin, category"

    def table_of(self, keys: frozenset[str]) -> Table | None:
        """Tell by the keys that 2018 brought."""
        if "asin" not in keys:
            return None
        if {"reviewerID", "overall"} <= keys:
            return Table.PURCHASES if keys & _IN_REVIEWS else None
        return Table.ITEMS if keys & _IN_ITEMS else None

    def items(self, lines: DataFrame, header: str) -> DataFrame:  # noqa: ARG002
        """Read JSON."""
        row = F.col("row")
        return columns.with_json_row(lines, "value", _ITEM).withColumns(
            {
                "readable": row.isNotNull(),
                "item": row["asin"],
                "title": row["title"],
                "brand": row["brand"],
                "price": row["price"],
                "path": columns.json_texts(row["category"]),
            }
        )
