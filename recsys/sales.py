"""When items sold: purchases per item and day, counted in any window without looking ahead."""

from dataclasses import dataclass
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

    def before(self, items: Ints, moments: Longs) -> "Past":
        """What sold of items (U, P) on the whole days before each shopper's moment (U,)."""
        return Past(self, items.astype(np.int64) * _DAYS, (moments // DAY)[:, None])


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
