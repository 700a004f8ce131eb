"""What is known of each item at a moment: how often it sells, to whom, and how dear it is."""

from datetime import datetime

from features.errors import extra
from features.timeline import (
    before,
    bought_within,
    days_before,
    epoch_day,
    exact_mean,
    seconds,
    stamped,
)

with extra("features"):
    from pyspark.sql import DataFrame, Window
    from pyspark.sql import functions as F


def item_stats(purchases: DataFrame, items: DataFrame, as_of: datetime) -> DataFrame:
    """Tell of each item bought before `as_of`: sales, buyers, rating, age and price level."""
    past = before(purchases, as_of)
    sold = past.groupBy("item_id").agg(
        F.count("*").alias("purchases"),
        F.count_distinct("user_id").alias("buyers"),
        bought_within(as_of, 30).alias("purchases_30d"),
        bought_within(as_of, 90).alias("purchases_90d"),
        exact_mean("rating").alias("mean_rating"),
        days_before(as_of, F.min(seconds())).alias("age_days"),
    )
    levels = bought_items(past, items).select("item_id", "price_level")
    return stamped(sold.join(levels, "item_id", "left"), as_of)


def item_days(purchases: DataFrame, as_of: datetime) -> DataFrame:
    """Count the purchases of each item on each UTC day before `as_of`; a new day adds rows only."""
    sold = before(purchases, as_of).groupBy("item_id", epoch_day().alias("day"))
    return sold.agg(F.count("*").alias("purchases"))


def bought_items(past: DataFrame, items: DataFrame) -> DataFrame:
    """Keep the items bought before, and place each price within its leaf category, 0..1.

    The price level is the mid-rank: the share of cheaper peers plus half the share of equally dear
    ones, so that an item alone in its category stands in the middle. Items that nobody has bought
    yet are no peers: at the moment in question they may not have existed.
    """
    priced = F.coalesce(F.col("price") > 0, F.lit(False))
    peers = Window.partitionBy("categories", "priced")
    by_price = peers.orderBy("price")
    cheaper = (F.rank().over(by_price) - 1) / F.count("*").over(peers)
    level = (cheaper + F.cume_dist().over(by_price)) / 2
    return (
        items.join(past.select("item_id").distinct(), "item_id", "left_semi")
        .withColumn("priced", priced)
        .withColumn("price_level", F.when(F.col("priced"), level))
    )
