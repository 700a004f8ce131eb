"""Which items belong together, as the purchases of single shoppers tell.

Three tables: what is bought after what, what on one day, and what by the same people whenever. Each
ranks per item the nearest others. A link fades with the age of its later purchase. All is counted
in integers, so that no sum depends on the order Spark adds in, and under hash codes instead of ids,
which sort and compare much faster.
"""

from collections.abc import Iterator
from datetime import datetime

from features.errors import extra
from features.fading import Fading
from features.lineup import NTH
from features.settings import HistorySettings
from features.timeline import DAY, before, seconds, spread, tie_break

with extra("features"):
    from pyspark.sql import Column, DataFrame, Window, WindowSpec
    from pyspark.sql import functions as F

LATEST_PURCHASES = 500
"""A shopper counts with no more than this many purchases: a reseller must not drown the others."""

LATEST_OF_ALL_PAIRS = 200
"""The same where everything is paired with everything, which grows with the square.

One bot makes at most 40,000 pairs of 200 purchases, where 500 would make 250,000, and people stay
whole: of the 22,363 shoppers of a real shop, one has more than 200.
"""

LINK = 720_720
"""A whole link on the base's day, as an integer: of the newest, 50,000 million fit into a sum."""

SHOPPER = 1_000_000
"""The say of one shopper over log2(2 + n) on that day, as an integer."""


def transitions(purchases: DataFrame, as_of: datetime, settings: HistorySettings) -> DataFrame:
    """Rank per item the items bought some purchases later, nearer and younger ones first.

    Two purchases at distance d, up to the window, add 1/d from the earlier to the later, faded by
    the later's age. Bought in the same second, neither is the earlier: each direction gets half.
    `support` is the sum, and `weight` its share of the item's total before the cut.
    """
    return _nearest("transitions", purchases, as_of, settings)


def together(purchases: DataFrame, as_of: datetime, settings: HistorySettings) -> DataFrame:
    """Rank per item the items that a shopper bought on the same UTC day.

    Each shopper counts once a day, faded by its age; `weight` is the share of the item's total
    before the cut.
    """
    return _nearest("together", purchases, as_of, settings)


def co_purchases(purchases: DataFrame, as_of: datetime, settings: HistorySettings) -> DataFrame:
    """Rank per item the items that the same shoppers bought, whenever.

    A shopper of n different items adds 1 / log2(2 + n) to each pair of them, because who buys
    everything says little, faded by the age of the later of both. `weight` is the pair's sum over
    the geometric mean of both totals.
    """
    return _nearest("co_purchases", purchases, as_of, settings)


KINDS = ("transitions", "together", "co_purchases")


def links_of(kind: str, past: DataFrame, fading: Fading, window: int = 0) -> DataFrame:
    """Count all links of a kind, before any cut: item, other (codes) and links (an integer).

    Each shopper adds hers, so that those of some shoppers can be taken out and put in again.
    """
    if kind == "transitions":
        latest = _latest(past, LATEST_PURCHASES).withColumn("say", _link(fading))
        near = latest.select("item", F.array(*_near(window)).alias("near"))
        far = near.select("item", F.inline("near")).filter("other != item")
        return _counted(spread(far, "item"))
    if kind == "together":
        latest = _latest(past, LATEST_PURCHASES).withColumn("say", _link(fading))
        day = F.floor(F.col("time") / DAY).alias("day")
        return _counted(_pairs(_baskets(latest, "say", "user_id", day)))
    return _counted(_pairs(_shared(past, fading)))


def in_lines(links: DataFrame, of_other: DataFrame | None = None) -> DataFrame:
    """Line each item's links up, nearest first: item, other, links, nth and weight.

    A weight is a share of the item's links; where `of_other` tells the totals of the others, it is
    the links over the geometric mean of both totals.
    """
    if of_other is None:
        return _lined(links, F.col("links")).withColumn("weight", F.col("links") / F.col("total"))
    near = F.col("links") / F.sqrt("of_other")
    lines = _lined(links.join(F.broadcast(of_other), "other"), near)
    return lines.withColumn("weight", near / F.sqrt("total"))


def totals(links: DataFrame) -> DataFrame:
    """Add up the links of each item: other and of_other, because each pair stands both ways."""
    mine = links.select(F.col("item").alias("other"), "links")
    return mine.groupBy("other").agg(F.sum("links").alias("of_other"))


def totals_of(past: DataFrame, fading: Fading) -> DataFrame:
    """Add up the same from the purchases: the pairs needn't be made."""
    mine = _shared(past, fading).select("user_id", F.inline("basket"), F.size("basket").alias("n"))
    heaviest_first = Window.partitionBy("user_id").orderBy(F.desc("say"))
    heavier = heaviest_first.rowsBetween(Window.unboundedPreceding, Window.currentRow - 1)
    # with each heavier one the pair weighs what that one says, with all others what this one says
    others = (F.col("n") - F.row_number().over(heaviest_first)) * F.col("say")
    links = F.coalesce(F.sum("say").over(heavier), F.lit(0)) + others
    return totals(mine.select("item", links.alias("links")))


def named(kind: str, lines: DataFrame, past: DataFrame, fading: Fading) -> DataFrame:
    """Put ids in the place of codes; `past` holds those of all items that are linked.

    `support` counts links as if they were made now.
    """
    items = past.select("item_id").distinct().withColumn("item", tie_break("item_id"))
    others = items.toDF("neighbour_id", "other")
    # a catalogue fits in memory wherever the vectors of its items do
    found = lines.join(F.broadcast(items), "item").join(F.broadcast(others), "other")
    support = (F.col("links") / F.lit(LINK * fading.now)).alias("support")
    supported = [support] if kind == "transitions" else []
    return found.select("item_id", "neighbour_id", "weight", *supported, "links", NTH)


def links_in(table: DataFrame) -> DataFrame:
    """Read the links of a written table back, under their codes."""
    item, other = tie_break("item_id"), tie_break("neighbour_id")
    return table.select(item.alias("item"), other.alias("other"), "links")


def pairs_of(kind: str, past: DataFrame, fading: Fading, settings: HistorySettings) -> DataFrame:
    """Line up all pairs of a kind, from the purchases."""
    of_other = totals_of(past, fading) if kind == "co_purchases" else None
    lines = in_lines(links_of(kind, past, fading, settings.window), of_other)
    return named(kind, lines, past, fading)


def nearest(pairs: DataFrame, top: int) -> DataFrame:
    """Keep the `top` of each line."""
    return pairs.filter(F.col(NTH) <= top).drop(NTH)


def _nearest(
    kind: str, purchases: DataFrame, as_of: datetime, settings: HistorySettings
) -> DataFrame:
    fading = Fading.at(as_of, settings.pair_half_life_days)
    pairs = pairs_of(kind, before(purchases, as_of), fading, settings)
    return nearest(pairs, settings.neighbours)


def _link(fading: Fading) -> Column:
    return fading.weighed(F.lit(float(LINK)), F.col("time"))


def _shared(past: DataFrame, fading: Fading) -> DataFrame:
    """Gather each shopper's different items, and what she says of a pair by its later purchase."""
    latest = _latest(past, LATEST_OF_ALL_PAIRS)
    owned = latest.groupBy("user_id", "item").agg(F.max("time").alias("time"))
    whole = F.lit(float(SHOPPER)) / F.log2(F.size("basket") + 2)
    says = F.transform(
        "basket",
        lambda one: F.struct(
            one["item"].alias("item"), fading.weighed(whole, one["time"]).alias("say")
        ),
    )
    return _baskets(owned, "time", "user_id").withColumn("basket", says)


def _latest(past: DataFrame, most: int) -> DataFrame:
    """Keep each shopper's latest purchases: user_id, item (a code) and time.

    Of a million items two share a code in one shop of 37 million; they would share their pairs.
    """
    coded = past.select("user_id", tie_break("item_id").alias("item"), seconds().alias("time"))
    nth = F.row_number().over(_newest_first())
    return coded.withColumn("back", nth).filter(F.col("back") <= most).drop("back")


def _newest_first() -> WindowSpec:
    # by the second, as everywhere: finer digits may be the source's way to keep its file order
    return Window.partitionBy("user_id").orderBy(F.desc("time"), "item")


def _near(window: int) -> Iterator[Column]:
    """Tell of a purchase what came up to `window` later, and what came before in its second."""
    newest_first = _newest_first()
    for d in range(1, window + 1):
        # lag over newest-first is the next purchase: one sort serves all distances
        for shift in (F.lag, F.lead):
            other, time = (shift(name, d).over(newest_first) for name in ("item", "time"))
            tied = F.when(time == F.col("time"), F.col("say") / (2 * d))
            later = F.lag("say", d).over(newest_first) / d
            say = tied.otherwise(later) if shift is F.lag else tied
            yield F.struct(
                F.when(say.isNotNull(), other).alias("other"), say.cast("long").alias("say")
            )


def _baskets(latest: DataFrame, told: str, *keys: str | Column) -> DataFrame:
    """Gather the different items bought together, each with what is told, where there are two."""
    baskets = latest.groupBy(*keys).agg(F.collect_set(F.struct("item", told)).alias("basket"))
    return baskets.filter(F.size("basket") > 1)


def _pairs(baskets: DataFrame) -> DataFrame:
    """List each pair of a basket in both directions: item, other and what the later one says."""
    # the basket goes where its item is counted and is taken apart only there: less to move
    members = spread(baskets.select(F.inline("basket"), "basket"), "item")
    others = F.inline("basket").alias("other", "others_say")
    say = F.greatest("say", "others_say").alias("say")
    return (
        members.select("item", "say", others).filter("other != item").select("item", "other", say)
    )


def _counted(links: DataFrame) -> DataFrame:
    """Add up what was said of each pair; what has faded to nothing is no link."""
    return links.groupBy("item", "other").agg(F.sum("say").alias("links")).filter("links > 0")


def _lined(pairs: DataFrame, near: Column) -> DataFrame:
    """Number the links of each item from the nearest, and tell their total; codes break ties."""
    nearest = Window.partitionBy("item").orderBy(F.desc("near"), "other")
    # in the same order, although a sum needs none: the pairs are sorted once
    whole = nearest.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return pairs.withColumn("near", near).withColumns(
        {"total": F.sum("links").over(whole), NTH: F.row_number().over(nearest)}
    )
