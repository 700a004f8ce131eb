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

    def within(self, items: Ints, moments: Longs, days: int | None = None) -> Floats:
        """Purchases of items (U, P) in the `days` before each shopper's moment (U,), or ever.

        Only whole days before the day of the moment count.
        """
        today = moments[:, None] // DAY
        first = np.zeros_like(today) if days is None else np.maximum(today - days, 0)
        return (self._until(items, today) - self._until(items, first)).astype(np.float32)

    def since(self, items: Ints, moments: Longs) -> tuple[Floats, Floats]:
        """Days since each item sold first, and last, before the moment: both (U, P), nan: never."""
        today = moments[:, None] // DAY
        start, stop = self._place(items, np.zeros_like(today)), self._place(items, today)
        sold = stop > start
        last = max(len(self.days) - 1, 0)
        ages = [
            np.where(sold, today - self.days[np.clip(at, 0, last)], np.nan).astype(np.float32)
            for at in (start, stop - 1)
        ] if len(self.days) else [np.full(items.shape, np.nan, np.float32)] * 2  # fmt: skip
        return ages[0], ages[1]

    def _place(self, items: Ints, day: Longs) -> Longs:
        return np.searchsorted(self.keys, items.astype(np.int64) * _DAYS + day)

    def _until(self, items: Ints, day: Longs) -> Longs:
        return self.sums[self._place(items, day)]
