"""What groups of shoppers with a like taste buy: a list for whoever a group serves better."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs, padded
from recsys.candidates.base import CandidateSource, Parts
from recsys.shoppers import Shoppers
from recsys.sparse import matrix, top_of_rows
from recsys.tables import read_array

FAVOURITES = 200
"""Items kept per group."""
TELLING = 20
"""Favourites that name a group."""


@dataclass(frozen=True, eq=False)
class GroupProposal:
    """The favourites of each shopper's group; who is in none (-1) gets nothing."""

    groups: Longs  # (U,)
    items: Ints  # (G, N) best first
    scores: Floats  # (G, N) falling

    def top(self, k: int) -> tuple[Ints, Floats]:
        """Give everyone the best k of her group."""
        items, scores = padded((len(self.groups), k))
        some, width = self.groups != PAD, min(k, self.items.shape[1])
        items[some, :width] = self.items[self.groups[some], :width]
        scores[some, :width] = self.scores[self.groups[some], :width]
        return items, scores

    def at(self, items: Ints) -> Floats:
        """Scores of some items (U, P)."""
        found = np.zeros(items.shape, np.float32)
        for row, group in enumerate(self.groups):
            if group != PAD:
                same = items[row][:, None] == self.items[group]
                same &= items[row][:, None] != PAD
                found[row] = np.where(same, np.maximum(self.scores[group], 0), 0).sum(axis=1)
        return found


@dataclass(frozen=True, eq=False)
class Personas(CandidateSource):
    """Centres (G, D) of taste, of length one, and what each group buys, best first."""

    name: ClassVar[str] = "persona"
    centres: Floats
    items: Ints  # (G, N)
    scores: Floats  # (G, N)

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """No groups: they are learnt from shoppers (`of`), which the parts of a release lack."""
        items, scores = padded((0, 0))
        return cls(np.zeros((0, parts.catalogue.vectors.shape[1]), np.float32), items, scores)

    @classmethod
    def of(cls, centres: Floats, shoppers: Shoppers, n_items: int) -> Self:
        """Count what the shoppers nearest to each centre bought, late purchases more.

        A shopper adds as much to an item as it weighs in her own history, so that nobody counts
        for many.
        """
        nearest = nearest_of(shoppers.vectors, centres)
        owner = np.repeat(nearest, shoppers.lengths)
        known = owner != PAD
        share = (1 / np.maximum(shoppers.lengths, 1)).astype(np.float32)
        weights = np.repeat(share, shoppers.lengths) * np.float32(0.9) ** shoppers.later[0]
        bought = matrix(
            owner[known], shoppers.items[known], weights[known], (len(centres), n_items)
        )
        items, scores = top_of_rows(bought, min(FAVOURITES, n_items))
        return cls(centres, items, scores)

    def ask(self, shoppers: Shoppers) -> GroupProposal:
        """Name each shopper's group and its favourites."""
        return GroupProposal(nearest_of(shoppers.vectors, self.centres), self.items, self.scores)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Say that it is the taste of a group."""
        group = nearest_of(shoppers.vectors[row : row + 1], self.centres)[0]
        listed = group != PAD and item in self.items[group]
        return "liked by shoppers of a similar taste" if listed else None

    def tastes(self, categories: Sequence[tuple[str, ...]], most: int = 2) -> list[str]:
        """Name each group by the categories (at the second level) of most of its favourites."""
        named = []
        for items in self.items:
            found: Counter[str] = Counter()
            for rank, item in enumerate(items[items != PAD][:TELLING]):
                path = categories[item]
                found[path[1] if len(path) > 1 else "other things"] += TELLING - rank
            named.append(" and ".join(name for name, _ in found.most_common(most)))
        return named

    def save(self, folder: Path) -> None:
        """Write centres and favourites."""
        folder.mkdir(parents=True)
        for name in ("centres", "items", "scores"):
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        parts: dict[str, Any] = {
            name: np.asarray(read_array(folder / f"{name}.npy"))
            for name in ("centres", "items", "scores")
        }
        return cls(**parts)


def nearest_of(vectors: Floats, centres: Floats) -> Longs:
    """The group of each vector (U,); -1 where nothing is known of a taste, or there is no group."""
    if not len(centres) or not len(vectors):
        return np.full(len(vectors), PAD, np.int64)
    nearest = np.argmax(vectors @ centres.T, axis=1)
    return np.where(np.any(vectors, axis=1), nearest, PAD).astype(np.int64)
