"""Amazon product data, crawl of 2014: JSON reviews, items as Python literals."""

from features.errors import extra
from features.formats import columns
from features.formats.base import RecordFormat, Table, register
from features.formats.simple import Texts, of_json

with extra("features"):
    from pyspark.sql import DataFrame
    from pyspark.sql import functions as F

_REVIEW = ("reviewerID", "asin", "overall", "unixReviewTime", "reviewTime")
_ITEM = ("asin", "title", "price", "brand", "categories")
_IN_ITEMS = frozenset({"title", "price", "brand", "salesRank", "categories", "related", "imUrl"})
_LATER = frozenset({"verified", "vote", "style", "image", "category", "main_cat", "also_buy"})


class Reviews2014(RecordFormat):
    """The reviews of 2014 and 2018, which differ in nothing that matters here."""

    def purchases(self, lines: DataFrame, header: str) -> DataFrame:  # noqa: ARG002
        """Read JSON; the day in words stands in where the time in seconds is missing."""
        row, seconds, day = F.col("row"), F.col("row.unixReviewTime"), F.col("row.reviewTime")
        return columns.with_json_row(lines, "value", _REVIEW).withColumns(
            {
                "readable": row.isNotNull(),
                "user": row["reviewerID"],
                "item": row["asin"],
                "rating": row["overall"],
                "dated": F.coalesce(columns.given(seconds), columns.given(day)).isNotNull(),
                "millis": F.coalesce(columns.number(seconds) * 1000, columns.american_day_ms(day)),
            }
        )

    def fields(self, header: str) -> tuple[str, ...]:  # noqa: ARG002
        """The keys that are read."""
        return _REVIEW

    def simple(self, line: str, header: str) -> Texts | None:  # noqa: ARG002
        """Read JSON whose values are texts and numbers, each told once, the time in seconds too."""
        told = of_json(line, _REVIEW, ids=("reviewerID", "asin"))
        return told if told and told["unixReviewTime"] else None


@register
class Amazon2014(Reviews2014):
    """Reviews as JSON lines, items as lines of Python dicts with single quotes."""

    name = "amazon-2014"
    about = "JSON reviews with reviewerID, asin, overall; items as Python dicts with categories"

    def table_of(self, keys: frozenset[str]) -> Table | None:
        """Tell by the keys that 2018 renamed."""
        if "asin" not in keys or keys & _LATER:
            return None
        if {"reviewerID", "overall"} <= keys:
            return Table.PURCHASES
        return Table.ITEMS if keys & _IN_ITEMS and "parent_asin" not in keys else None

    def items(self, lines: DataFrame, header: str) -> DataFrame:  # noqa: ARG002
        """Read Python literals (or JSON); of several category paths the first counts."""
        row = F.col("row")
        text = columns.literal_as_json(F.col("value"), _ITEM)
        paths = F.from_json(row["categories"], "array<string>")
        rows = columns.with_json_row(lines.withColumn("text", text), "text", _ITEM)
        return rows.withColumns(
            {
                "readable": row.isNotNull(),
                "item": row["asin"],
                "title": row["title"],
                "brand": row["brand"],
                "price": row["price"],
                "path": columns.json_texts(F.get(paths, F.lit(0))),
            }
        )
