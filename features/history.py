"""Each shopper's purchase history at a moment: the statistics and the sequence."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from features.cuts import Cut
from features.errors import extra
from features.fading import UNFADED, Fading
from features.items import item_days, item_stats, price_levels
from features.lineup import GAP, LAST, NTH, cut_short, lined_up, newest
from features.pairs import KINDS, nearest, pairs_of
from features.quality.border import shaped
from features.quality.rules import RULES
from features.sail import fill
from features.settings import HistorySettings
from features.taste import tastes
from features.timeline import (
    DAY,
    WINDOWS,
    before,
    bought_within,
    days_before,
    exact_mean,
    exact_variance,
    in_memory,
    seconds,
    side_by_side,
    spread,
    stamped,
    tie_break,
)

with extra("features"):
    from pyspark.sql import Column, DataFrame, DataFrameWriter
    from pyspark.sql import functions as F

DEFAULTS = HistorySettings()
LINKS = "links"
KEYS = ("user_id", "item_id", "day", "event_timestamp")
"""What the key of a view may be made of."""


def user_purchase_stats(
    purchases: DataFrame,
    items: DataFrame,
    as_of: datetime,
    settings: HistorySettings = DEFAULTS,
) -> DataFrame:
    """Tell of each shopper before `as_of`: how much, how varied, how often, how dear, and what."""
    past = before(purchases, as_of)
    return shopper_stats(past, price_levels(items, past), as_of, settings)


def shopper_stats(
    past: DataFrame, levels: DataFrame, as_of: datetime, settings: HistorySettings
) -> DataFrame:
    """Tell the same from purchases cut already, and the items' price levels of the moment."""
    paid = F.coalesce("price", "list_price")
    lines = newest(past, settings.most_purchases)
    bought = lines.join(F.broadcast(_about(levels)), "item_id", "left").withColumn("paid", paid)
    counted = bought.groupBy("user_id").agg(
        F.count("*").alias("purchases"),
        *(bought_within(as_of, days).alias(f"purchases_{days}d") for days in WINDOWS),
        _distinct("item_id").alias("distinct_items"),
        F.max(LAST).alias("last_purchase"),
        F.min(seconds()).alias("first_purchase"),
        (exact_variance(F.col(GAP)) / F.lit(float(DAY) ** 2)).alias("gap_variance"),
        exact_mean("paid").alias("mean_price"),
        exact_mean("price_level").alias("price_level"),
        F.sqrt(exact_variance(_millionths("price_level")) / F.lit(1e12)).alias("price_spread"),
    )
    liked = tastes(bought, as_of, settings.taste_half_life_days, settings.taste_names)
    return clocked(_whole(counted.join(liked, "user_id", "left")), as_of)


def clocked(stats: DataFrame, as_of: datetime) -> DataFrame:
    """Add what changes with every day that passes, from the first and the last purchase."""
    stats = stats.withColumns(
        {
            "recency_days": days_before(as_of, F.col("last_purchase")),
            "tenure_days": days_before(as_of, F.col("first_purchase")),
        }
    )
    return stamped(stats, as_of)


def user_history(purchases: DataFrame, as_of: datetime, recent: int) -> DataFrame:
    """List each shopper's latest `recent` purchases, oldest to newest, with their hash.

    Purchases of the same second stand in the order of the seeded hash, at the cut and in the list.
    """
    kept = lined_up(before(purchases, as_of)).filter(F.col(NTH) <= recent)
    entry = F.struct(seconds().alias("time"), F.negative(NTH).alias("nth"), "item_id")
    histories = kept.groupBy("user_id").agg(F.array_sort(F.collect_list(entry)).alias("entries"))
    told = histories.select(
        "user_id",
        F.transform("entries", lambda one: one["item_id"]).alias("item_ids"),
        F.transform("entries", lambda one: one["time"]).alias("item_times"),
    )
    content = F.to_json(F.struct("item_ids", "item_times"))
    return stamped(told.withColumn("history_hash", F.sha2(content, 256)), as_of)


def write_moment(cut: Cut, items: DataFrame, *, settings: HistorySettings, out: Path) -> int:
    """Write the views of a moment, one Parquet folder each: `<moment>/<view>`.

    What is to be predicted from them stands apart, in `targets/<moment>`; where there is nothing to
    predict, the moment serves, and the links beyond the cut are kept in `links` for the next day.
    Returns how many shoppers bought more than features count.
    """
    with _held(cut) as (histories, known):
        views = shopper_and_item_views(histories, known, items, cut.as_of, settings)
        jobs = [partial(write_view, view, out / cut.name / name) for name, view in views.items()]
        fading = Fading.at(cut.as_of, settings.pair_half_life_days) if cut.clock else UNFADED
        for kind in KINDS:
            pairs = pairs_of(kind, known, fading, settings)
            rest = out / LINKS / kind if cut.targets is None else None
            place = out / cut.name / kind
            jobs.append(partial(write_pairs, pairs, settings.neighbours, place, rest))
        side_by_side(reversed(jobs))  # the pairs take longest
        capped = cut_short(histories, settings.most_purchases)
    if cut.targets is not None:
        write_view(cut.targets, out / "targets" / cut.name)
    return capped


@contextmanager
def _held(cut: Cut) -> Iterator[tuple[DataFrame, DataFrame]]:
    """Keep the purchases of a cut in memory while its views are made, each shopper's in a place."""
    used = ["user_id", "item_id", "event_timestamp", "rating", "price"]
    with in_memory(lined_up(spread(cut.histories.select(used), "user_id"))) as histories:
        if cut.known is cut.histories:
            yield histories, histories
            return
        with in_memory(lined_up(spread(cut.known.select(used), "user_id"))) as known:
            yield histories, known


def shopper_and_item_views(
    histories: DataFrame,
    known: DataFrame,
    items: DataFrame,
    as_of: datetime,
    settings: HistorySettings,
) -> dict[str, DataFrame]:
    """Tell of shoppers from the histories, and of items from what is known."""
    return {
        "user_purchase_stats": user_purchase_stats(histories, items, as_of, settings),
        "user_history": user_history(histories, as_of, settings.recent_items),
        "item_stats": item_stats(known, items, as_of),
        "item_days": item_days(known, as_of),
    }


def write_pairs(pairs: DataFrame, top: int, folder: Path, rest: Path | None) -> None:
    """Write the `top` of each item's pairs and, where a next day may follow, the rest of them.

    They stand as they are lined up: by the hash of the item, and nearest first, which their weights
    say as well. One pass writes both.
    """
    if rest is None:
        _write(nearest(pairs, top), folder)
        return
    shaped(pairs.drop(NTH), folder.name)
    parted, near = rest.with_name(f"{rest.name} parted"), (F.col(NTH) <= top).alias("near")
    both = pairs.select("*", near).drop(NTH)
    _writer(both).partitionBy("near").parquet(str(parted))
    if not (parted / "near=true").is_dir():  # nothing belongs together: still a table
        _write(nearest(pairs, 0), parted / "near=true")
    for part, place in (("true", folder), ("false", rest)):
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        if (written := parted / f"near={part}").is_dir():
            written.rename(place)
            (place / "_SUCCESS").touch()
    shutil.rmtree(parted, ignore_errors=True)


def write_view(view: DataFrame, folder: Path) -> None:
    """Write a view spread by the hash of its first key, and ordered by the hash of its whole key.

    A re-run reads the same, and no reader can learn anything from the order.
    """
    keys = [key for key in KEYS if key in view.columns]
    # not orderBy: to find its ranges, it would compute the view twice; not by the key as it is:
    # Spark drops that where a join has placed the rows, and then makes partitions as it likes
    _write(spread(view, tie_break(keys[0])).sortWithinPartitions(tie_break(*keys)), folder)


def _write(view: DataFrame, folder: Path) -> None:
    placed = shaped(view, folder.name) if folder.name in RULES else view
    _writer(placed).parquet(str(folder))
    fill(placed, folder)


def _writer(view: DataFrame) -> DataFrameWriter:
    # each number of a pair is nearly unique: a dictionary of them is built only to be given up
    plain = {
        f"parquet.enable.dictionary#{name}": "false" for name in ("weight", "support", "links")
    }
    return view.write.mode("overwrite").options(**plain)


def _about(levels: DataFrame) -> DataFrame:
    """Tell of each item its leaf (the whole path: names repeat across trees), brand and prices."""
    leaf = F.when(F.size("categories") > 0, F.array_join("categories", " > ")).alias("category")
    list_price = F.when(F.col("priced"), F.col("price")).alias("list_price")
    return levels.select("item_id", leaf, "brand", list_price, "price_level")


def _distinct(column: str) -> Column:
    """Count the different values of a group; by a set, because a count would triple rows."""
    return F.size(F.collect_set(column)).cast("long")


def _millionths(column: str) -> Column:
    return F.round(F.col(column) * 1_000_000).cast("long")


def _whole(stats: DataFrame) -> DataFrame:
    """Fill in what follows from the counts, and what is nothing where no name is known."""
    span = (F.col("last_purchase") - F.col("first_purchase")) / F.lit(float(DAY))
    names = [name for name in stats.columns if name.startswith("distinct_")]
    empty = {
        "taste_categories": F.array().cast("array<string>"),
        "taste_category_weights": F.array().cast("array<double>"),
        "taste_brands": F.array().cast("array<string>"),
        "taste_brand_weights": F.array().cast("array<double>"),
    }
    return stats.withColumns(
        {name: F.coalesce(name, F.lit(0).cast("long")) for name in names}
        | {name: F.coalesce(name, none) for name, none in empty.items()}
        | {
            "mean_gap_days": F.when(F.col("purchases") > 1, span / (F.col("purchases") - 1)),
            "repeat_share": 1 - F.col("distinct_items") / F.col("purchases"),
        }
    )
