"""When items sold: purchases per item and day, counted in any window without looking ahead."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs
from recsys.catalogue import Catalogue
from recsys.tables import read_table

DAY = 86_400
_DAYS = 1 << 20  # more than any epoch day: a key is item * _DAYS + day


@dataclass(frozen=True, eq=False)
class Sales:
    """Purchases of each item on each day, in order of item and day."""

    keys: Longs  # (N,) item * _DAYS + day, rising
    days: Longs  # (N,)
    sums: Longs  # (N + 1,) purchases up to each entry

    @classmethod
    def load(cls, table: Path, catalogue: Catalogue) -> "Sales":
        """Read the table `item_days`; items that are not in the catalogue are left out."""
        rows = read_table(table, ["item_id", "day", "purchases"])
        items = catalogue.positions(rows["item_id"].to_pylist())
        return cls.of(items, rows["day"].to_numpy(), rows["purchases"].to_numpy())

    @classmethod
    def of(cls, items: Ints, days: Longs, purchases: Longs) -> "Sales":
        """Sales from loose (item, day, purchases); what is unknown (-1) is left out."""
        known = items != PAD
        keys = items[known].astype(np.int64) * _DAYS + days[known]
        order = np.argsort(keys, kind="stable")
        sums = np.concatenate(([0], np.cumsum(purchases[known][order]))).astype(np.int64)
        return cls(keys[order], days[known][order].astype(np.int64), sums)

    def before(self, items: Ints, moments: Longs) -> "Past | PastOfSome":
        """What sold of items (U, P) on the whole days before each shopper's moment (U,)."""
        today = moments // DAY
        if len(today) and (today == today[0]).all():
            return self._until(int(today[0])).of(items)
        return Past(self, items.astype(np.int64) * _DAYS, today[:, None])

    def _until(self, day: int) -> "PastOfAll":
        """Everything up to a day; who is served now is served by the same one again and again."""
        kept = self._kept.get(day)
        if kept is None:
            self._kept.clear()
            kept = self._kept[day] = PastOfAll(self, day)
        return kept

    @cached_property
    def _kept(self) -> "dict[int, PastOfAll]":
        return {}


class Past:
    """Sales of items up to a day, counted back from it: all results are (U, P)."""

    def __init__(self, sales: Sales, starts: Longs, today: Longs) -> None:
        self._sales, self._starts, self._today = sales, starts, today
        self._begin = np.searchsorted(sales.keys, starts)
        self._end = self._place(today)

    def within(self, days: int | None = None) -> Floats:
        """Purchases in the last `days` days, or ever."""
        first = self._begin if days is None else self._place(np.maximum(self._today - days, 0))
        return (self._sales.sums[self._end] - self._sales.sums[first]).astype(np.float32)

    def first_and_last(self) -> tuple[Floats, Floats]:
        """Days since each item sold first, and last; nan: never."""
        days, sold = self._sales.days, self._end > self._begin
        if not len(days):
            never = np.full(sold.shape, np.nan, np.float32)
            return never, never
        ages = [
            np.where(sold, self._today - days[np.clip(at, 0, len(days) - 1)], np.nan)
            for at in (self._begin, self._end - 1)
        ]
        return ages[0].astype(np.float32), ages[1].astype(np.float32)

    def _place(self, day: Longs) -> Longs:
        return np.searchsorted(self._sales.keys, self._starts + day)


class PastOfAll:
    """Sales of every item up to one day, each figure worked out once."""

    def __init__(self, sales: Sales, day: int) -> None:
        # the last place stands for all items that never sold
        many = 1 if not len(sales.keys) else int(sales.keys[-1]) // _DAYS + 2
        self._past = Past(sales, np.arange(many) * _DAYS, np.array(day))
        self._last = many - 1
        self._figures: dict[int | None, Floats] = {}

    def of(self, items: Ints) -> "PastOfSome":
        """The same of some items (U, P)."""
        return PastOfSome(self, np.minimum(items, self._last))

    def within(self, days: int | None) -> Floats:
        """Purchases of every item in the last `days` days, or ever (I,)."""
        if days not in self._figures:
            self._figures[days] = self._past.within(days)
        return self._figures[days]

    @cached_property
    def first_and_last(self) -> tuple[Floats, Floats]:
        """Days since each item sold first, and last (I,)."""
        return self._past.first_and_last()


@dataclass(frozen=True, eq=False)
class PastOfSome:
    """What `Past` tells, read from what is known of all items."""

    whole: PastOfAll
    items: Ints

    def within(self, days: int | None = None) -> Floats:
        """Purchases in the last `days` days, or ever."""
        return self.whole.within(days)[self.items]

    def first_and_last(self) -> tuple[Floats, Floats]:
        """Days since each item sold first, and last; nan: never."""
        first, last = self.whole.first_and_last
        return first[self.items], last[self.items]
