"""What shoppers bought after a moment: the labels of the ranker and the targets of validation."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Longs, spans
from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers
from recsys.tables import read_table


@dataclass(frozen=True, eq=False)
class Labels:
    """Relevant items per shopper: `items[indptr[u]:indptr[u + 1]]`, in order of purchase."""

    indptr: Longs  # (U + 1,)
    items: Ints

    @classmethod
    def load(
        cls,
        purchases: Path,
        shoppers: Shoppers,
        catalogue: Catalogue,
        start: datetime,
        end: datetime,
    ) -> "Labels":
        """Read what the shoppers bought in [start, end)."""
        window = [("event_timestamp", ">=", start), ("event_timestamp", "<", end)]
        table = read_table(purchases, ["user_id", "item_id", "event_timestamp"], window)
        row_of = {user: row for row, user in enumerate(shoppers.user_ids)}
        rows = [row_of.get(user, PAD) for user in table["user_id"].to_pylist()]
        times = table["event_timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64)
        items = catalogue.positions(table["item_id"].to_pylist())
        return cls.of(np.array(rows, np.int64), items, times, len(shoppers))

    @classmethod
    def of(cls, rows: Longs, items: Ints, times: Longs, users: int) -> "Labels":
        """Labels from loose purchases; what is unknown (-1) is left out."""
        known = (rows != PAD) & (items != PAD)
        rows, items, times = rows[known], items[known], times[known]
        order = np.lexsort((items, times, rows))  # bought at once: by position, a seeded hash
        counts = np.bincount(rows, minlength=users)
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return cls(indptr, items[order])

    @property
    def lengths(self) -> Longs:
        """Relevant items per shopper."""
        return np.diff(self.indptr)

    @property
    def targets(self) -> Ints:
        """The first purchase of each shopper (U,); -1: none."""
        first = np.minimum(self.indptr[:-1], max(len(self.items) - 1, 0))
        found = self.items[first] if len(self.items) else np.full(len(first), PAD, np.int32)
        return np.where(self.lengths > 0, found, np.int32(PAD)).astype(np.int32)

    def mark(self, items: Ints) -> Floats:
        """1 where a candidate (U, P) is relevant, else 0."""
        width = int(max(items.max(initial=0), self.items.max(initial=0))) + 1
        owner = np.repeat(np.arange(len(self.indptr) - 1), self.lengths)
        keys = np.arange(len(items))[:, None] * width + items
        relevant: Bools = np.isin(keys, owner * width + self.items) & (items != PAD)
        return relevant.astype(np.float32)

    def take(self, rows: Longs) -> "Labels":
        """Pick the labels of some of the shoppers."""
        counts = self.lengths[rows]
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return Labels(indptr, self.items[spans(self.indptr[rows], counts)])
