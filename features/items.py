"""What is known of each item at a moment: how often it sells, to whom, and how dear it is."""

from datetime import datetime

from features.errors import extra
from features.timeline import (
    WINDOWS,
    before,
    bought_within,
    days_before,
    epoch_day,
    ratio,
    seconds,
    stamped,
)

with extra("features"):
    from pyspark.sql import Column, DataFrame, Window
    from pyspark.sql import functions as F


def item_stats(purchases: DataFrame, items: DataFrame, as_of: datetime) -> DataFrame:
    """Tell of each item bought before `as_of`: sales, buyers, rating, age and price level."""
    past = before(purchases, as_of)
    return sold_stats(past, price_levels(items, past), as_of)


def sold_stats(past: DataFrame, levels: DataFrame, as_of: datetime) -> DataFrame:
    """Tell the same from purchases cut already, and the items' price levels of the moment."""
    rating = F.col("rating").try_cast("decimal(24,9)")
    by_buyer = past.groupBy("item_id", "user_id").agg(
        F.count("*").alias("times"),
        *(bought_within(as_of, days).alias(f"purchases_{days}d") for days in WINDOWS),
        F.sum(rating).alias("stars"),
        F.count(rating).alias("rated"),
        F.min(seconds()).alias("first"),
    )
    sold = by_buyer.groupBy("item_id").agg(
        F.sum("times").alias("purchases"),
        F.count("*").alias("buyers"),
        *(F.sum(f"purchases_{days}d").alias(f"purchases_{days}d") for days in WINDOWS),
        (F.count_if(F.col("times") > 1) / F.count("*")).alias("repeat_rate"),
        ratio(F.sum("stars"), F.sum("rated")).alias("mean_rating"),
        F.min("first").alias("first_seen"),
    )
    priced = levels.select("item_id", "price_level", "price_rank")
    return aged(sold.join(priced, "item_id", "left").withColumn("trend", _trend()), as_of)


def aged(stats: DataFrame, as_of: datetime) -> DataFrame:
    """Add what changes with every day that passes."""
    age = days_before(as_of, F.col("first_seen"))
    return stamped(stats.withColumn("age_days", age), as_of)


def _trend() -> Column:
    """Compare the last 30 days with the 60 before: log2 of the ratio, each with one sale added.

    In single precision, because of a logarithm's last bits each engine has its own.
    """
    earlier = (F.col("purchases_90d") - F.col("purchases_30d")) / 2
    ratio_of_both = (F.col("purchases_30d") + 1) / (earlier + 1)
    return F.log2(ratio_of_both).cast("float").cast("double")


def item_days(purchases: DataFrame, as_of: datetime) -> DataFrame:
    """Count the purchases of each item on each UTC day before `as_of`; a new day adds rows only."""
    sold = before(purchases, as_of).groupBy("item_id", epoch_day().alias("day"))
    return sold.agg(F.count("*").alias("purchases"))


def price_levels(items: DataFrame, past: DataFrame) -> DataFrame:
    """Keep the items bought before, and place each price within its leaf category, 0..1.

    The price level is the mid-rank: the share of cheaper peers plus half the share of equally dear
    ones, so that an item alone in its category stands in the middle. The rank counts from the
    cheapest, 1. Items that nobody has bought yet are no peers: at the moment in question they may
    not have existed.
    """
    priced = F.coalesce(F.col("price") > 0, F.lit(False))
    peers = Window.partitionBy("categories", "priced")
    by_price = peers.orderBy("price")
    cheaper = (F.rank().over(by_price) - 1) / F.count("*").over(peers)
    level = (cheaper + F.cume_dist().over(by_price)) / 2
    known = F.col("priced")
    return (
        items.join(past.select("item_id").distinct(), "item_id", "left_semi")
        .withColumn("priced", priced)
        .withColumns(
            {
                "price_level": F.when(known, level),
                "price_rank": F.when(known, F.rank().over(by_price).cast("long")),
            }
        )
    )
