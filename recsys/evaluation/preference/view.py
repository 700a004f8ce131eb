"""What a scorer may see: shoppers as they are told, options, and the shop without the answers.

Which option is right is not among it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Floats, Ints, Longs
from recsys.candidates.base import CandidateSource
from recsys.candidates.pool import pool_of
from recsys.catalogue import Catalogue
from recsys.evaluation.preference.personal import Personal
from recsys.parallel import ordered
from recsys.ranker.features import Shelf, build_features
from recsys.ranker.model import Ranker
from recsys.shoppers import Shoppers

CHUNK = 256


@dataclass(frozen=True, eq=False)
class View:
    """N questions of K options, seen from before their answers."""

    shoppers: Shoppers  # (N,) histories without the answers
    options: Ints  # (N, K)
    shelf: Shelf
    sources: Sequence[CandidateSource]
    known: Shoppers  # everybody's purchases that may be learned from
    level: int | str  # at which categories are told apart
    seed: int
    ranker: Ranker | None = None
    personal: Personal | None = None  # the language model and what adapts it

    @property
    def catalogue(self) -> Catalogue:
        """The items."""
        return self.shelf.catalogue

    @cached_property
    def sold(self) -> NDArray[np.int64]:
        """Purchases of each item that are known (I,)."""
        return np.bincount(self.known.items, minlength=len(self.catalogue))

    @cached_property
    def features(self) -> tuple[tuple[str, ...], Floats]:
        """Names (F,) of what the ranker sees, and the values of every option (N, K, F)."""
        return self._seen[0], self._seen[1]

    @cached_property
    def ranked(self) -> Floats:
        """The ranker's scores (N, K)."""
        return self._seen[2]

    @cached_property
    def adapted(self) -> Floats:
        """What the adapted model says of the options (N, K); asked once."""
        assert self.personal is not None
        return self.personal.adapted(self.tastes, self.options)

    @cached_property
    def tastes(self) -> Floats:
        """What the adapted model is told of the shoppers (N, D)."""
        return self.personal.tastes.of(self.shoppers) if self.personal else self.shoppers.vectors

    @cached_property
    def _seen(self) -> tuple[tuple[str, ...], Floats, Floats]:
        def part(start: int) -> tuple[tuple[str, ...], Floats, Floats]:
            some = slice(start, start + CHUNK)
            who, items = self.shoppers.take(some), self.options[some]
            made = build_features(who, pool_of(who, self.sources, items), self.shelf)
            told = self.ranker.predict(made) if self.ranker else np.zeros(items.shape, np.float32)
            return made.names, made.values.reshape(*items.shape, -1), told

        parts = list(ordered(part, range(0, len(self.options), CHUNK)))
        names = parts[0][0]
        return names, np.concatenate([p[1] for p in parts]), np.concatenate([p[2] for p in parts])

    def feature(self, name: str) -> Floats:
        """One of the ranker's features of every option (N, K)."""
        names, values = self.features
        return values[..., names.index(name)]

    def pairs(self) -> tuple[Longs, Ints]:
        """Every purchase of the histories with the row of its shopper."""
        return np.repeat(np.arange(len(self.shoppers)), self.shoppers.lengths), self.shoppers.items

    def take(self, rows: Longs) -> "View":
        """Some of the questions; what was worked out already is not worked out again."""
        made = replace(self, shoppers=self.shoppers.take(rows), options=self.options[rows])
        if "_seen" in self.__dict__:
            names, values, ranked = self._seen
            made.__dict__["_seen"] = names, values[rows], ranked[rows]
        if "adapted" in self.__dict__:
            made.__dict__["adapted"] = self.adapted[rows]
        return made

    def shuffled(self) -> Floats:
        """Tell another shopper's taste in place of each one's (N, D): nobody keeps her own."""
        order = np.random.default_rng([self.seed, 7]).permutation(len(self.shoppers))
        tastes = np.empty_like(self.tastes)
        tastes[order] = self.tastes[np.roll(order, 1)]
        return tastes
