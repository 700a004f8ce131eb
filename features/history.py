"""Each shopper's purchase history at a moment: the statistics and the sequence."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from features.cuts import Cut
from features.errors import extra
from features.items import bought_items, item_days, item_stats
from features.pairs import co_purchases, together, transitions
from features.settings import HistorySettings
from features.timeline import (
    DAY,
    before,
    bought_within,
    days_before,
    exact_mean,
    in_memory,
    seconds,
    spread,
    stamped,
    tie_break,
)

with extra("features"):
    from pyspark.sql import Column, DataFrame, Window
    from pyspark.sql import functions as F

KEYS = ("user_id", "item_id", "neighbour_id", "day", "event_timestamp")
"""What the key of a view may be made of."""


def user_purchase_stats(purchases: DataFrame, items: DataFrame, as_of: datetime) -> DataFrame:
    """Tell of each shopper before `as_of`: how much, how varied, how often and how dear."""
    past = before(purchases, as_of)
    about = _about(past, items)
    bought = past.join(about, "item_id", "left").withColumn(
        "paid", F.coalesce("price", "list_price")
    )
    stats = bought.groupBy("user_id").agg(
        F.count("*").alias("purchases"),
        _distinct("item_id").alias("distinct_items"),
        _distinct("leaf").alias("distinct_categories"),
        _distinct("brand").alias("distinct_brands"),
        days_before(as_of, F.max(seconds())).alias("recency_days"),
        days_before(as_of, F.min(seconds())).alias("tenure_days"),
        _mean_gap().alias("mean_gap_days"),
        exact_mean("paid").alias("mean_price"),
        exact_mean("price_level").alias("price_level"),
        *(bought_within(as_of, days).alias(f"purchases_{days}d") for days in (30, 90, 365)),
    )
    return stamped(stats, as_of)


def user_history(purchases: DataFrame, as_of: datetime, recent: int) -> DataFrame:
    """List each shopper's latest `recent` purchases, oldest to newest, with their hash.

    Purchases of the same second are tied: the seeded hash decides, at the cut and in the list,
    because what is read as "her last item" downstream must not depend on the file's order.
    """
    latest = Window.partitionBy("user_id").orderBy(
        seconds().desc(), tie_break("item_id"), "item_id"
    )
    kept = (
        before(purchases, as_of)
        .withColumn("back", F.row_number().over(latest))
        .filter(F.col("back") <= recent)
    )
    entry = F.struct(seconds().alias("time"), F.negative("back").alias("nth"), "item_id")
    histories = kept.groupBy("user_id").agg(F.array_sort(F.collect_list(entry)).alias("entries"))
    told = histories.select(
        "user_id",
        F.col("entries.item_id").alias("item_ids"),
        F.col("entries.time").alias("item_times"),
    )
    content = F.to_json(F.struct("item_ids", "item_times"))
    return stamped(told.withColumn("history_hash", F.sha2(content, 256)), as_of)


def write_moment(cut: Cut, items: DataFrame, *, settings: HistorySettings, out: Path) -> None:
    """Write the views of a moment, one Parquet folder each: `<moment>/<view>`.

    What is to be predicted from them stands apart, in `targets/<moment>`.
    """
    with _held(cut) as (histories, known):
        for name, view in _views(histories, known, items, cut.as_of, settings).items():
            _write(view, out / cut.name / name)
    if cut.targets is not None:
        _write(cut.targets, out / "targets" / cut.name)


@contextmanager
def _held(cut: Cut) -> Iterator[tuple[DataFrame, DataFrame]]:
    """Keep the purchases of a cut in memory while its views are made, each shopper's in a place."""
    used = ["user_id", "item_id", "event_timestamp", "rating", "price"]
    with in_memory(spread(cut.histories.select(used), "user_id")) as histories:
        if cut.known is cut.histories:
            yield histories, histories
            return
        with in_memory(spread(cut.known.select(used), "user_id")) as known:
            yield histories, known


def _views(
    histories: DataFrame,
    known: DataFrame,
    items: DataFrame,
    as_of: datetime,
    settings: HistorySettings,
) -> dict[str, DataFrame]:
    """Tell of shoppers from the histories, and of items from what is known."""
    top = settings.neighbours
    return {
        "user_purchase_stats": user_purchase_stats(histories, items, as_of),
        "user_history": user_history(histories, as_of, settings.recent_items),
        "item_stats": item_stats(known, items, as_of),
        "item_days": item_days(known, as_of),
        "transitions": transitions(known, as_of, settings.window, top),
        "together": together(known, as_of, top),
        "co_purchases": co_purchases(known, as_of, top),
    }


def _write(view: DataFrame, folder: Path) -> None:
    """Write a view spread by the hash of its first key, and ordered by the hash of its whole key.

    A re-run reads the same, and no reader can learn anything from the order.
    """
    keys = [key for key in KEYS if key in view.columns]
    # not orderBy: to find its ranges, it would compute the view twice; not by the key as it is:
    # Spark drops that where a join has placed the rows, and then makes partitions as it likes
    placed = spread(view, tie_break(keys[0])).sortWithinPartitions(tie_break(*keys))
    placed.write.mode("overwrite").parquet(str(folder))


def _about(past: DataFrame, items: DataFrame) -> DataFrame:
    """Tell of each item its leaf (the whole path: names repeat across trees), brand and prices."""
    leaf = F.when(F.size("categories") > 0, F.to_json("categories")).alias("leaf")
    list_price = F.when(F.col("priced"), F.col("price")).alias("list_price")
    return bought_items(past, items).select("item_id", leaf, "brand", list_price, "price_level")


def _distinct(column: str) -> Column:
    """Count the different values of a group; by a set, because three counts would triple rows."""
    return F.size(F.collect_set(column)).cast("long")


def _mean_gap() -> Column:
    """Average the days between consecutive purchases; unknown after the first."""
    span = (F.max(seconds()) - F.min(seconds())) / F.lit(float(DAY))
    return F.when(F.count("*") > 1, span / (F.count("*") - 1))
