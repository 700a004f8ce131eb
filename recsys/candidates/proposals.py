"""The forms a proposal takes: sparse rows, vectors in an index, one order for everyone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, padded
from recsys.candidates.base import DEPTH
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.inner import inner_products
from recsys.candidates.rounded import Found
from recsys.sparse import Links, Rows, product, top_of_rows, values_at


class _OfRows:
    """A score per shopper and item, where there is one; all are above zero."""

    rows: Rows  # (U, I)

    def top(self, k: int) -> tuple[Ints, Floats]:
        """Find the best k."""
        return top_of_rows(self.rows, k)

    def at(self, items: Ints) -> Floats:
        """Scores of some items."""
        return values_at(self.rows, items)


@dataclass(frozen=True, eq=False)
class SparseProposal(_OfRows):
    """Scores that are at hand."""

    rows: Rows


@dataclass(frozen=True, eq=False)
class LinkedProposal(_OfRows):
    """What the things that a shopper holds lead to; several such are followed in one step."""

    held: Rows  # (U, J)
    links: Links  # (J, I)

    @cached_property
    def rows(self) -> Rows:  # type: ignore[override]
        """Follow the links of this source alone."""
        return product(self.held, self.links)


@dataclass(frozen=True, eq=False)
class VectorProposal:
    """A query vector per shopper; who has none (zeros) gets nothing."""

    queries: Floats  # (U, D)
    index: ItemIndex
    begun: Callable[[], Found] | None = None  # ends the search of a single shopper
    depth: int = 0

    @classmethod
    def begin(
        cls, queries: Floats, index: ItemIndex, depth: int = DEPTH, *, beside: bool = True
    ) -> Self:
        """Search from now on, beside what the other sources are asked; or at once."""
        return cls(queries, index, index.begin(queries, depth, beside=beside), depth)

    def top(self, k: int) -> tuple[Ints, Floats]:
        """Search the index."""
        items, scores = padded((len(self.queries), k))
        if self.begun and k <= self.depth:
            found, value = self.begun()
            best = slice(min(k, len(found)))
            items[0, best], scores[0, best] = found[best], value[best]
            return items, scores
        known = np.flatnonzero(self.queries.any(axis=1))
        if len(known):
            found, value = self.index.search(self.queries[known], k)
            items[known, : found.shape[1]] = found
            scores[known, : found.shape[1]] = value
        return items, scores

    def at(self, items: Ints) -> Floats:
        """Score some items by inner product."""
        return inner_products(self.index.catalogue.vectors, items, self.queries)


@dataclass(frozen=True, eq=False)
class SameProposal:
    """The same for everyone: an order of items, and a score of every item."""

    users: int
    order: Ints  # (N,) best first
    scores: Floats  # (I,) 0: nothing to say

    def top(self, k: int) -> tuple[Ints, Floats]:
        """Give everyone the best k."""
        items, scores = padded((self.users, k))
        best = self.order[:k]
        items[:, : len(best)] = best
        scores[:, : len(best)] = self.scores[best]
        return items, scores

    def at(self, items: Ints) -> Floats:
        """Scores of some items."""
        return np.where(items == PAD, np.float32(0), self.scores[items]).astype(np.float32)
