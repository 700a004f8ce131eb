"""What a shopper likes, in names: categories and brands, those bought lately above all."""

from datetime import datetime

from features.errors import extra
from features.lineup import LAST
from features.timeline import DAY, WINDOWS, seconds, since, tie_break

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

KINDS = {"category": "categories", "brand": "brands"}
WHOLE = 1 << 30
"""The weight of her last purchase, as an integer: sums don't depend on the order of adding."""


def tastes(bought: DataFrame, as_of: datetime, half_life_days: float, top: int) -> DataFrame:
    """Weigh the names each shopper bought, and count how many different ones in each window.

    A purchase weighs half of one made `half_life_days` later. Weights are counted back from the
    shopper's last purchase and sum to 1 over all her names, so that no day passing changes them.
    """
    named = F.inline(
        F.array(*(F.struct(F.lit(kind).alias("kind"), F.col(kind).alias("name")) for kind in KINDS))
    )
    rows = bought.select("user_id", seconds().alias("time"), _weight(half_life_days), named)
    by_name = (
        rows.filter("name is not null")
        .groupBy("user_id", "kind", "name")
        .agg(F.sum("weight").alias("weight"), F.max("time").alias("time"))
    )
    columns = [column for kind in KINDS for column in _of_kind(kind, as_of)]
    told = by_name.groupBy("user_id").agg(*columns)
    return told.select("user_id", *_counts(), *(c for kind in KINDS for c in _liked(kind, top)))


def _weight(half_life_days: float) -> Column:
    days = (F.col(LAST) - seconds()) / F.lit(DAY * half_life_days)
    return F.round(F.pow(F.lit(2.0), -days) * WHOLE).cast("long").alias("weight")


def _of_kind(kind: str, as_of: datetime) -> list[Column]:
    """Gather the names of a kind with their weights, and count those bought in each window."""
    mine = F.col("kind") == kind
    entry = F.struct(
        F.negative("weight").alias("less"), tie_break("name").alias("tie"), "name", "weight"
    )
    return [
        F.count_if(mine).alias(f"distinct_{KINDS[kind]}"),
        *(
            F.count_if(mine & (F.col("time") >= since(as_of, days))).alias(
                f"distinct_{KINDS[kind]}_{days}d"
            )
            for days in WINDOWS
        ),
        F.sum(F.when(mine, F.col("weight"))).alias(f"{kind}_total"),
        F.array_sort(F.collect_list(F.when(mine & (F.col("weight") > 0), entry))).alias(
            f"{kind}_names"
        ),
    ]


def _counts() -> list[str]:
    return [
        f"distinct_{plural}{window}"
        for plural in KINDS.values()
        for window in ("", *(f"_{days}d" for days in WINDOWS))
    ]


def _liked(kind: str, top: int) -> list[Column]:
    """Give the `top` names of a kind and their shares of the whole."""
    kept = F.slice(F.col(f"{kind}_names"), 1, top)
    total = F.col(f"{kind}_total")
    return [
        F.transform(kept, lambda one: one["name"]).alias(f"taste_{KINDS[kind]}"),
        F.transform(kept, lambda one: one["weight"] / total).alias(f"taste_{kind}_weights"),
    ]
