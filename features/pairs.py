"""Which item follows which: directed transitions between the purchases of one shopper."""

from datetime import datetime
from functools import reduce
from operator import add

from features.errors import extra
from features.timeline import before, seconds, tie_break

with extra("features"):
    from pyspark.sql import Column, DataFrame, Window
    from pyspark.sql import functions as F

LATEST_PURCHASES = 500
"""A shopper counts with no more than this many purchases: a reseller must not drown the others."""


def transitions(purchases: DataFrame, as_of: datetime, window: int, top: int) -> DataFrame:
    """Rank per item the `top` items bought up to `window` purchases later, nearer ones first.

    Two purchases at distance d add 1/d from the earlier to the later. Bought in the same second,
    neither is the earlier: each direction gets half. Weights of an item add up to one before the
    cut. Counts are kept per distance as integers, so that the sums don't depend on the order Spark
    adds in.
    """
    counts = [F.sum(F.when(F.col("d") == d, F.col("halves")).otherwise(0)).alias(f"n{d}")
              for d in range(1, window + 1)]  # fmt: skip
    links = _links(before(purchases, as_of), window).groupBy("item_id", "neighbour_id").agg(*counts)
    source = Window.partitionBy("item_id")
    weight = _weigh([F.col(f"n{d}") for d in range(1, window + 1)])
    total = _weigh([F.sum(f"n{d}").over(source) for d in range(1, window + 1)])
    ranked = source.orderBy(F.desc("weight"), tie_break("neighbour_id"), "neighbour_id")
    return (
        links.withColumn("weight", weight / total)
        .withColumn("rank", F.row_number().over(ranked))
        .filter(F.col("rank") <= top)
        .select("item_id", "neighbour_id", "weight")
    )


def _weigh(halves: list[Column]) -> Column:
    """Weigh counts of half links per distance: a whole link weighs 1/d."""
    return reduce(add, (count / F.lit(2.0 * d) for d, count in enumerate(halves, start=1)))


def _links(past: DataFrame, window: int) -> DataFrame:
    """List the links within each shopper's purchases as (item_id, neighbour_id, d, halves)."""
    # by the second, as everywhere: finer digits may be the source's way to keep its file order
    latest = Window.partitionBy("user_id").orderBy(F.desc("time"), tie_break("item_id"), "item_id")
    # lag over newest-first is the next purchase: one sort serves the cap and all distances
    later = [
        F.struct(
            F.lit(d).alias("d"),
            F.lag("item_id", d).over(latest).alias("item_id"),
            F.lag("time", d).over(latest).alias("time"),
        )
        for d in range(1, window + 1)
    ]
    near = (
        past.withColumn("time", seconds())
        .select(
            "item_id",
            "time",
            F.row_number().over(latest).alias("back"),
            F.array(*later).alias("later"),
        )
        .filter(F.col("back") <= LATEST_PURCHASES)
        .select("item_id", "time", F.explode("later").alias("next"))
        .filter("next.item_id IS NOT NULL AND next.item_id != item_id")
    )
    tied = F.col("time") == F.col("next.time")
    halves = F.when(tied, 1).otherwise(2)
    there = near.select(
        "item_id", F.col("next.item_id").alias("neighbour_id"), "next.d", halves.alias("halves")
    )
    back = near.filter(tied).select(
        F.col("next.item_id").alias("item_id"),
        F.col("item_id").alias("neighbour_id"),
        "next.d",
        F.lit(1).alias("halves"),
    )
    return there.unionByName(back)
