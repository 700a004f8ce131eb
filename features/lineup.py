"""Each shopper's purchases in a line, newest first: the one order that all user features share.

A bot with a million purchases is one long line: Spark sorts it on disk where it must, and features
look at the newest of it only. How many shoppers were cut short is counted, and reported.
"""

from features.errors import extra
from features.timeline import seconds, tie_break

with extra("features"):
    from pyspark.sql import DataFrame, Window
    from pyspark.sql import functions as F

NTH, LAST, GAP = "nth", "last", "gap"
MOST = 1_000
"""Of 22,363 shoppers of a real shop, none has more than 204 purchases."""


def lined_up(purchases: DataFrame) -> DataFrame:
    """Number each shopper's purchases from the last, 1; tell her last time and the gap before each.

    Purchases of one second are tied: the seeded hash decides, because what is read as "her last
    item" downstream must not depend on the file's order.
    """
    if NTH in purchases.columns:
        return purchases
    newest_first = Window.partitionBy("user_id").orderBy(
        seconds().desc(), tie_break("item_id"), "item_id"
    )
    return purchases.withColumns(
        {
            NTH: F.row_number().over(newest_first),
            LAST: F.first(seconds()).over(newest_first),
            GAP: seconds() - F.lead(seconds()).over(newest_first),
        }
    )


def newest(lines: DataFrame, most: int) -> DataFrame:
    """Keep the newest `most` of each line; before the oldest of them there is no gap."""
    gap = F.when(F.col(NTH) < most, F.col(GAP))
    return lined_up(lines).filter(F.col(NTH) <= most).withColumn(GAP, gap)


def cut_short(lines: DataFrame, most: int) -> int:
    """Count the shoppers who have more than `most` purchases."""
    return lined_up(lines).filter(F.col(NTH) == most + 1).count()
