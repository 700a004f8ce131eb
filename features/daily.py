"""One further day: new features from the old ones and what the day moved, as a whole run has them.

A day moves the shoppers and items of its purchases, of those that slid out of a window, and the
buyers of items whose price now stands elsewhere among others. They are computed anew, by the jobs
of a whole run; all others are carried over, with their ages put forward. Pairs are counted in
integers: what the day's shoppers said before is taken out of the counts, and what they say now put
in. Links fade from a base that stands for years; when it moves on, all are counted anew.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce
from pathlib import Path

from features.errors import extra
from features.fading import Fading
from features.history import LINKS, clocked, shopper_stats, user_history, write_pairs, write_view
from features.items import aged, item_days, price_levels, sold_stats
from features.lineup import lined_up
from features.pairs import KINDS, in_lines, links_in, links_of, named, pairs_of, totals
from features.settings import HistorySettings
from features.timeline import (
    WINDOWS,
    before,
    in_memory,
    known_from,
    seconds,
    side_by_side,
    since,
    spread,
    stamped,
)

with extra("features"):
    from pyspark.sql import Column, DataFrame
    from pyspark.sql import functions as F

SERVE = "serve"
STAMPS = ("event_timestamp", "created_timestamp")
CLOCKED = (*STAMPS, "recency_days", "tenure_days")


@dataclass(frozen=True)
class Step:
    """From one moment to a later one, over all purchases at hand and both item tables."""

    start: datetime
    end: datetime
    purchases: DataFrame
    items_before: DataFrame
    items: DataFrame

    @property
    def past(self) -> DataFrame:
        """All that is known at the end."""
        return before(self.purchases, self.end)

    @property
    def news(self) -> DataFrame:
        """What is known at the end and was not at the start."""
        return self.past.filter(known_from(self.purchases, self.start))

    @property
    def moved(self) -> DataFrame:
        """The news, and what slid out of a window: user_id and item_id."""
        slid = reduce(Column.__or__, (self._left(days) for days in WINDOWS))
        return self.past.filter(known_from(self.purchases, self.start) | slid).select(
            "user_id", "item_id"
        )

    def _left(self, days: int) -> Column:
        first, last = since(self.start, days), since(self.end, days)
        return (seconds() >= first) & (seconds() < last)


def advance(step: Step, views: Path, settings: HistorySettings, out: Path) -> None:
    """Write what `history.write_moment` would write at the end, from its folder at the start."""
    read = step.purchases.sparkSession.read
    old = {name.name: read.parquet(str(name)) for name in sorted((views / SERVE).iterdir())}
    with ExitStack() as held:
        moved, news = _kept(held, step.moved), _kept(held, step.news)
        sold = old["item_stats"].select("item_id").union(news.select("item_id")).distinct()
        sold = _kept(held, sold)
        levels = _kept(held, price_levels(step.items, sold))
        users = _kept(held, _users(step, old["item_stats"], moved, levels))
        lines = _kept(held, lined_up(spread(_of(step.past, users), "user_id")))
        work = _Day(step, settings, old, users, lines, levels)
        new = {
            "user_purchase_stats": work.user_purchase_stats(),
            "user_history": work.user_history(),
            "item_stats": work.item_stats(moved.select("item_id").distinct()),
            "item_days": work.item_days(news),
        }
        jobs = [partial(write_view, view, out / SERVE / name) for name, view in new.items()]
        shoppers = _kept(held, news.select("user_id").distinct())
        then, now = (
            _kept(held, _of(rows, shoppers)) for rows in (before(lines, step.start), lines)
        )
        for kind in KINDS:
            if work.base_moved:
                pairs = pairs_of(kind, step.past, work.fading, settings)
            else:
                said = (links_of(kind, rows, work.fading, settings.window) for rows in (then, now))
                delta = _kept(held, _delta(*said))
                links = links_in(read.parquet(*_tables(views, kind)))
                pairs = work.pairs(kind, links, delta, sold)
            places = out / SERVE / kind, out / LINKS / kind
            jobs.append(partial(write_pairs, pairs, settings.neighbours, *places))
        side_by_side(reversed(jobs))  # the pairs take longest


def _tables(views: Path, kind: str) -> list[str]:
    """Where all pairs of a kind are: the nearest, and the rest if there is one."""
    near, rest = views / SERVE / kind, views / LINKS / kind
    return [str(near), *([str(rest)] if rest.is_dir() else [])]


@dataclass(frozen=True)
class _Day:
    """The views at the start, who is computed anew, and from which purchases."""

    step: Step
    settings: HistorySettings
    old: dict[str, DataFrame]
    users: DataFrame
    lines: DataFrame
    levels: DataFrame

    @property
    def fading(self) -> Fading:
        """How the links fade at the end."""
        return Fading.at(self.step.end, self.settings.pair_half_life_days)

    @property
    def base_moved(self) -> bool:
        """Whether the links of the start were counted from another base."""
        before_it = Fading.at(self.step.start, self.settings.pair_half_life_days)
        return before_it.base != self.fading.base

    def user_purchase_stats(self) -> DataFrame:
        """Compute the moved anew; put the ages of the others forward."""
        fresh = shopper_stats(self.lines, self.levels, self.step.end, self.settings)
        kept = _without(self.old["user_purchase_stats"], "user_id", self.users).drop(*CLOCKED)
        return fresh.unionByName(clocked(kept, self.step.end))

    def user_history(self) -> DataFrame:
        """List the moved anew; the others' histories stand."""
        fresh = user_history(self.lines, self.step.end, self.settings.recent_items)
        kept = _without(self.old["user_history"], "user_id", self.users).drop(*STAMPS)
        return fresh.unionByName(stamped(kept, self.step.end))

    def item_stats(self, items: DataFrame) -> DataFrame:
        """Compute the moved anew; put the ages of the others forward, and place their prices."""
        sold = self.step.past.join(F.broadcast(items), "item_id", "left_semi")
        kept = _without(self.old["item_stats"], "item_id", items)
        kept = kept.drop(*STAMPS, "age_days", "price_level", "price_rank")
        placed = self.levels.select("item_id", "price_level", "price_rank")
        others = aged(kept.join(placed, "item_id", "left"), self.step.end)
        return sold_stats(sold, self.levels, self.step.end).unionByName(others)

    def item_days(self, news: DataFrame) -> DataFrame:
        """Add the day's sales, on whatever day they were made."""
        both = self.old["item_days"].unionByName(item_days(news, self.step.end))
        return both.groupBy("item_id", "day").agg(F.sum("purchases").alias("purchases"))

    def pairs(self, kind: str, links: DataFrame, delta: DataFrame, sold: DataFrame) -> DataFrame:
        """Count a kind of pairs, and line them up again."""
        both = links.unionByName(delta)
        of_other = totals(both) if kind == "co_purchases" else None
        lines = in_lines(_summed(spread(both, "item")).filter("links > 0"), of_other)
        return named(kind, lines, sold, self.fading)


def _kept(held: ExitStack, frame: DataFrame) -> DataFrame:
    return held.enter_context(in_memory(frame))


def _users(step: Step, old: DataFrame, moved: DataFrame, levels: DataFrame) -> DataFrame:
    """Find the shoppers who are to be computed anew."""
    dearer = _changed(price_levels(step.items_before, old.select("item_id")), levels)
    buyers = step.past.join(F.broadcast(dearer), "item_id", "left_semi")
    return moved.select("user_id").union(buyers.select("user_id")).distinct()


def _of(purchases: DataFrame, users: DataFrame) -> DataFrame:
    """Keep the purchases of some shoppers."""
    return purchases.join(F.broadcast(users), "user_id", "left_semi")


def _changed(before_it: DataFrame, now: DataFrame) -> DataFrame:
    """Find the items that features tell of in another way."""
    told = ["item_id", "categories", "brand", "price", "price_level"]
    one, other = before_it.select(told), now.select(told)
    either = one.subtract(other).union(other.subtract(one))
    return either.select("item_id").distinct()


def _without(view: DataFrame, key: str, moved: DataFrame) -> DataFrame:
    return view.join(F.broadcast(moved), key, "left_anti")


def _delta(then: DataFrame, now: DataFrame) -> DataFrame:
    """Tell by how much the counts of pairs change."""
    taken = then.withColumn("links", F.negative("links"))
    return _summed(taken.unionByName(now)).filter("links != 0")


def _summed(links: DataFrame) -> DataFrame:
    return links.groupBy("item", "other").agg(F.sum("links").alias("links"))
