"""Items that read like what the shopper buys: near her taste vector, near her last items."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, padded, top_per_row
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.faiss_index import ItemIndex
from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers


def nearest_purchase(shoppers: Shoppers, row: int, item: int, catalogue: Catalogue) -> int | None:
    """Find the other item of the history that is nearest to an item."""
    past = shoppers.history(row)
    past = past[past != item]
    if not len(past):
        return None
    return int(past[np.argmax(catalogue.vectors[past] @ catalogue.vectors[item])])


def _like(shoppers: Shoppers, row: int, item: int, catalogue: Catalogue) -> str | None:
    near = nearest_purchase(shoppers, row, item, catalogue)
    return None if near is None else f"similar to {catalogue.label(near)}"


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
        return _like(shoppers, row, item, catalogue)


@register
@dataclass(frozen=True)
class SimilarToLast(CandidateSource):
    """Items nearest to any of the last few purchases; an older purchase counts less."""

    name: ClassVar[str] = "similar_to_last"
    index: ItemIndex
    depth: int = 3
    decay: float = 0.9

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Use the index of the release."""
        return cls(parts.index)

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Search once per distinct last item, then merge by the best decayed similarity."""
        last = shoppers.recent(self.depth)[0]  # (U, n)
        rows, ages = np.nonzero(last != PAD)
        if not len(rows):
            return padded((len(shoppers), k))
        asked, which = np.unique(last[rows, ages], return_inverse=True)
        each = max(k // 2, 10)
        found, value = self.index.search(self.index.catalogue.vectors[asked], each + 1)
        value = np.where(found == asked[:, None], -np.inf, value)  # an item is not like itself
        scores = value[which] * np.float32(self.decay) ** ages[:, None]  # (R, each)
        real = np.isfinite(scores) & (scores > 0)
        owner = np.broadcast_to(rows[:, None], real.shape)
        return top_per_row(
            owner[real], found[which][real], scores[real], (len(shoppers), k), np.maximum
        )

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the nearest of her purchases."""
        return _like(shoppers, row, item, self.index.catalogue)
