"""Items that read like what the shopper buys: near her taste vector, near her last items."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, padded, top_per_row
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.faiss_index import ItemIndex
from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers

ALIKE = 0.3  # below this cosine nobody would call two items similar
NEAREST = 50  # items looked at around each of the last purchases
BLOCK = 256


def nearest_purchase(shoppers: Shoppers, row: int, item: int, catalogue: Catalogue) -> int | None:
    """Find the other item of the history that is nearest to an item."""
    past = shoppers.history(row)
    past = past[past != item]
    if not len(past):
        return None
    return int(past[np.argmax(catalogue.vectors[past] @ catalogue.vectors[item])])


def _like(shoppers: Shoppers, row: int, item: int, catalogue: Catalogue) -> str | None:
    near = nearest_purchase(shoppers, row, item, catalogue)
    if near is None or catalogue.vectors[near] @ catalogue.vectors[item] < ALIKE:
        return None
    return f"similar to {catalogue.label(near)}"


@register
@dataclass(frozen=True)
class SimilarToTaste(CandidateSource):
    """Items nearest to the shopper's taste vector."""

    name: ClassVar[str] = "similar_to_taste"
    index: ItemIndex

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Use the index of the release."""
        return cls(parts.index)

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Search with the taste vectors; who has none gets nothing."""
        items, scores = padded((len(shoppers), k))
        known = np.flatnonzero(shoppers.vectors.any(axis=1))
        if len(known):
            found, value = self.index.search(shoppers.vectors[known], k)
            items[known, : found.shape[1]] = found
            scores[known, : found.shape[1]] = value
        return items, scores

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the category if she buys in it, else the nearest of her purchases."""
        catalogue = self.index.catalogue
        code = catalogue.leaf_codes[item]
        if code != PAD and code in catalogue.leaf_codes[shoppers.history(row)]:
            return f"close to past purchases: {catalogue.categories[item][-1]}"
        return _like(shoppers, row, item, catalogue) or "close to the taste of past purchases"


class NearestItems:
    """The nearest other items of items, found when first asked for and then remembered."""

    def __init__(self, index: ItemIndex, width: int) -> None:
        size = len(index.catalogue)
        self.index, self.width = index, min(width, size - 1)
        self.known = np.zeros(size, bool)
        self.items = np.empty((size, self.width), np.int32)
        self.scores = np.empty((size, self.width), np.float32)

    def of(self, items: Ints) -> tuple[Ints, Floats]:
        """Nearest other items and similarities: both (N, width)."""
        new = np.unique(items[~self.known[items]])
        for start in range(0, len(new), BLOCK):
            self._find(new[start : start + BLOCK])
        return self.items[items], self.scores[items]

    def _find(self, asked: Ints) -> None:
        found, scores = self.index.search(self.index.catalogue.vectors[asked], self.width + 1)
        itself = found == asked[:, None]
        itself[~itself.any(axis=1), -1] = True  # twins pushed it out: drop the last instead
        shape = (len(asked), self.width)
        self.items[asked] = found[~itself].reshape(shape)
        self.scores[asked] = scores[~itself].reshape(shape)
        self.known[asked] = True  # last: another thread sees whole rows only


@register
@dataclass(frozen=True)
class SimilarToLast(CandidateSource):
    """Items nearest to any of the last few purchases; an older purchase counts less."""

    name: ClassVar[str] = "similar_to_last"
    index: ItemIndex
    nearest: NearestItems
    depth: int = 3
    decay: float = 0.9

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Use the index of the release."""
        return cls(parts.index, NearestItems(parts.index, NEAREST))

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Merge what is near each of the last items by the best decayed similarity."""
        last = shoppers.recent(self.depth)[0]  # (U, n)
        rows, ages = np.nonzero(last != PAD)
        if not len(rows):
            return padded((len(shoppers), k))
        found, value = self.nearest.of(last[rows, ages])
        scores = value * np.float32(self.decay) ** ages[:, None].astype(np.float32)
        real = scores > 0
        owner = np.broadcast_to(rows[:, None], real.shape)
        return top_per_row(owner[real], found[real], scores[real], (len(shoppers), k), np.maximum)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the nearest of her purchases."""
        return _like(shoppers, row, item, self.index.catalogue)
