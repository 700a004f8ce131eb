"""What shoppers bought after a moment: the labels of the ranker and the targets of validation."""

from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Targets:
    """What shoppers bought after a moment, aligned with them."""

    labels: Labels  # all of it that is in the catalogue
    asked: Bools  # (U,) bought anything
    first: Ints  # (U,) what was bought first; -1 where the catalogue doesn't have it
    tie_safe: Bools  # (U,) its day differs from the day of the last purchase before

    @classmethod
    def load(cls, table: Path, shoppers: Shoppers, catalogue: Catalogue) -> "Targets":
        """Read the table `targets` of a moment; who is not among the shoppers is left out.

        Of what was bought at the same first instant, the catalogue's order, a hash, picks one.
        """
        rows = read_table(table, ["user_id", "item_id", "event_timestamp", "tie_safe"])
        row_of = {user: row for row, user in enumerate(shoppers.user_ids)}
        users = np.array([row_of.get(user, PAD) for user in rows["user_id"].to_pylist()], np.int64)
        known = users != PAD
        users = users[known]
        times = rows["event_timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64)[known]
        items = catalogue.positions(rows["item_id"].to_pylist())[known]
        safe = np.asarray(rows["tie_safe"].to_numpy(zero_copy_only=False), bool)[known]
        order = np.lexsort((items, times, users))
        first = order[np.flatnonzero(np.diff(users[order], prepend=PAD))]
        size = len(shoppers)
        asked, tie_safe = np.zeros(size, bool), np.zeros(size, bool)
        target = np.full(size, PAD, np.int32)
        asked[users[first]] = True
        target[users[first]] = items[first]
        tie_safe[users[first]] = safe[first]
        return cls(Labels.of(users, items, times, size), asked, target, tie_safe)
