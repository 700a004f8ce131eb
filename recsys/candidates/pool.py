"""Blend all sources into one pool of candidates per shopper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Longs, place_in_row
from recsys.candidates.base import CandidateSource
from recsys.shoppers import Shoppers


@dataclass(frozen=True, eq=False)
class Pool:
    """P candidates for each of U shoppers, in the order of the blend."""

    items: Ints  # (U, P), -1: padding
    scores: Floats  # (U, P, S), nan where a source does not propose the item
    ranks: Floats  # (U, P, S), from 0
    sources: tuple[str, ...]

    @property
    def real(self) -> Bools:
        """Where a candidate stands: (U, P)."""
        real: Bools = self.items != PAD
        return real

    def take(self, rows: Longs) -> "Pool":
        """Pick the pools of some of the shoppers."""
        return Pool(self.items[rows], self.scores[rows], self.ranks[rows], self.sources)


def build_pool(
    shoppers: Shoppers,
    sources: Sequence[CandidateSource],
    size: int,
    *,
    mask_history: bool = False,
) -> Pool:
    """Take turns: every source's first, every source's second, ... until the pool is full.

    `mask_history` leaves out what the shopper bought before.
    """
    found = [source.candidates(shoppers, size) for source in sources]
    items = np.stack([part[0] for part in found], axis=2)  # (U, k, S): flat order is the turns
    scores = np.stack([part[1] for part in found], axis=2)
    if mask_history:
        items = _without_history(items, shoppers)
    rows, ranks, which = np.nonzero(items != PAD)
    proposed = items[rows, ranks, which]
    slots, first = _slots(rows, proposed)
    pool = Pool(
        items=np.full((len(shoppers), size), PAD, np.int32),
        scores=np.full((len(shoppers), size, len(sources)), np.nan, np.float32),
        ranks=np.full((len(shoppers), size, len(sources)), np.nan, np.float32),
        sources=tuple(source.name for source in sources),
    )
    kept = slots < size
    pool.items[rows[first & kept], slots[first & kept]] = proposed[first & kept]
    at = rows[kept], slots[kept], which[kept]
    pool.scores[at] = scores[rows, ranks, which][kept]
    pool.ranks[at] = ranks[kept]
    return pool


def _slots(rows: Longs, items: Ints) -> tuple[Longs, Bools]:
    """Slot in the pool of each proposal, in order of first mention, and which is the first."""
    keys = rows * (int(items.max(initial=0)) + 1) + items
    _, firsts, same = np.unique(keys, return_index=True, return_inverse=True)
    first = np.zeros(len(keys), bool)
    first[firsts] = True
    slot_of_first = np.empty(len(keys), np.int64)
    slot_of_first[first] = place_in_row(rows[first])
    return slot_of_first[firsts][same], first


def _without_history(items: Ints, shoppers: Shoppers) -> Ints:
    width = int(max(items.max(initial=0), shoppers.items.max(initial=0))) + 1
    owner = np.repeat(np.arange(len(shoppers)), shoppers.lengths)
    keys = np.arange(len(shoppers))[:, None, None] * width + items
    bought = np.isin(keys, owner * width + shoppers.items) & (items != PAD)
    return np.where(bought, np.int32(PAD), items)
