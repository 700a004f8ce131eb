"""Loose columns to canonical columns, with the reason to refuse a row: the same for all formats."""

from datetime import UTC, datetime
from typing import Final

from features.errors import extra
from features.formats import columns

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

BLANK: Final = "blank line"  # never refused, only skipped
UNREADABLE: Final = "unreadable row"
NO_USER: Final = "no user"
NO_ITEM: Final = "no item"
NO_TIME: Final = "no time"
TIME_UNREADABLE: Final = "unreadable time"
TOO_OLD: Final = "time before 1995"
FUTURE: Final = "time in the future"
RATING_UNREADABLE: Final = "rating not a number"
RATING_OUTSIDE: Final = "rating outside 1-5"
KNOWN_UNREADABLE: Final = "unreadable known_at"
KNOWN_IN_FUTURE: Final = "known_at in the future"
REPEATED_HEADER: Final = "repeated header"

_FIRST_MS = datetime(1995, 1, 1, tzinfo=UTC).timestamp() * 1000


def purchases(loose: DataFrame, now: datetime) -> DataFrame:
    """Judge review rows."""
    now_ms, millis, stars = now.timestamp() * 1000, F.col("millis"), F.col("stars")
    if "known" not in loose.columns:  # most sources don't tell
        loose = loose.withColumn("known", F.lit(None).cast("string"))
    known = F.col("known_millis")
    # one step of its own, so that the rules don't clean the same text again and again
    clean = loose.withColumns(
        {
            "user_id": columns.given(F.col("user")),
            "item_id": columns.given(F.col("item")),
            "rating": columns.given(F.col("rating")),
            "stars": columns.number(F.col("rating")),
            "known": columns.given(F.col("known")),
            "known_millis": columns.number(columns.given(F.col("known"))),
        }
    )
    reason = _first(
        *_line_rules(),
        (F.col("user_id").isNull(), NO_USER),
        (F.col("item_id").isNull(), NO_ITEM),
        (~F.col("dated"), NO_TIME),
        (millis.isNull(), TIME_UNREADABLE),
        (millis < _FIRST_MS, TOO_OLD),
        (millis > now_ms, FUTURE),
        (F.col("rating").isNotNull() & stars.isNull(), RATING_UNREADABLE),
        (~stars.between(1, 5), RATING_OUTSIDE),
        (F.col("known").isNotNull() & known.isNull(), KNOWN_UNREADABLE),
        (known > now_ms, KNOWN_IN_FUTURE),
    )
    in_range = F.when(millis.between(_FIRST_MS, now_ms), millis)
    reported = F.when(known.between(_FIRST_MS, now_ms), known)
    return _judged(
        clean,
        reason,
        user_id=F.col("user_id"),
        item_id=F.col("item_id"),
        event_timestamp=F.timestamp_millis(in_range.cast("long")),
        rating=stars,
        # nobody can know of a purchase before it is made
        known_at=F.timestamp_millis(F.greatest(in_range, reported).cast("long")),
    )


def items(loose: DataFrame) -> DataFrame:
    """Judge item rows."""
    title = F.coalesce(columns.plain(F.col("title")), F.lit(""))
    clean = loose.withColumns(
        {
            "item_id": columns.given(F.col("item")),
            "title": title,
            "brand": columns.plain(F.col("brand")),
            "path": columns.plain_path(F.col("path")),
        }
    )
    reason = _first(*_line_rules(), (F.col("item_id").isNull(), NO_ITEM))
    return _judged(
        clean,
        reason,
        item_id=F.col("item_id"),
        title=F.col("title"),
        categories=F.coalesce(F.col("path"), F.array().cast("array<string>")),
        brand=F.when(F.col("brand") != "", F.col("brand")),
        price=columns.price(F.col("price")),
        has_title=F.col("title") != "",
    )


def _judged(loose: DataFrame, reason: Column, **canonical: Column) -> DataFrame:
    kept = [F.col(name) for name in ("file", "block", "at")]
    raw = F.when(F.col("reason").isNotNull(), F.substring("value", 1, 2000))
    named = [column.alias(name) for name, column in canonical.items()]
    judged = loose.withColumn("reason", reason)
    return judged.select(*kept, *named, "reason", raw.alias("raw"))


def _line_rules() -> tuple[tuple[Column, str], ...]:
    return (
        (F.col("value").rlike(r"^\s*$"), BLANK),
        (F.col("heading"), REPEATED_HEADER),
        (~F.col("readable"), UNREADABLE),
    )


def _first(*rules: tuple[Column, str]) -> Column:
    """Find the reason of the first rule that holds; null where none does."""
    return F.coalesce(*(F.when(rule, F.lit(reason)) for rule, reason in rules))
