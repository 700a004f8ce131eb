"""Items near the shopper's vector: of her taste in words, of what is bought near, of both."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from features.decay import normalised
from recsys.arrays import PAD, Floats
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.collaborative import Collaborative as LinkVectors
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.matrices import BLOCK, WIDTH, ItemMatrix
from recsys.candidates.proposals import VectorProposal
from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers
from recsys.sparse import matrix

ALIKE = 0.3  # below this cosine nobody would call two items similar
CLOSE = 6  # a near item counts for much more than a somewhat near one


def nearest_items(index: ItemIndex) -> ItemMatrix:
    """The items nearest to each item, by a power of the cosine; found once, at the build."""
    vectors, size = index.catalogue.vectors, len(index.catalogue)
    found: list[tuple[Any, Any, Any]] = []
    for start in range(0, size, BLOCK):
        block = np.asarray(vectors[start : start + BLOCK])
        items, scores = index.search(block, min(WIDTH + 1, size))
        rows = np.broadcast_to(np.arange(start, start + len(block))[:, None], items.shape)
        kept = (items != PAD) & (items != rows) & (scores > ALIKE)
        found.append((rows[kept], items[kept], scores[kept] ** CLOSE))
    rows, items, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return ItemMatrix(matrix(rows, items, scores, (size, size)), index.catalogue.fingerprint)


def _like(shoppers: Shoppers, row: int, item: int, catalogue: Catalogue) -> str | None:
    """Name the other item of the history that is nearest, if it is near at all."""
    past = shoppers.history(row)
    past = past[past != item]
    if not len(past):
        return None
    cosines = catalogue.vectors[past] @ catalogue.vectors[item]
    if cosines.max() < ALIKE:
        return None
    return f"similar to {catalogue.label(int(past[np.argmax(cosines)]))}"


@register
@dataclass(frozen=True)
class SimilarToTaste(CandidateSource):
    """Items nearest to the shopper's taste vector."""

    name: ClassVar[str] = "similar_to_taste"
    embedding: ClassVar[str] = "text"
    turn: ClassVar[int] = 0
    vote: ClassVar[float] = 0.5
    index: ItemIndex

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Use the index of the release."""
        return cls(parts.index)

    def ask(self, shoppers: Shoppers) -> VectorProposal:
        """Search with the taste vectors."""
        return VectorProposal.begin(shoppers.vectors, self.index)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the category if she buys in it, else the nearest of her purchases."""
        catalogue = self.index.catalogue
        code = catalogue.leaf_codes[item]
        if code != PAD and code in catalogue.leaf_codes[shoppers.history(row)]:
            return f"close to past purchases: {catalogue.categories[item][-1]}"
        return _like(shoppers, row, item, catalogue) or "close to the taste of past purchases"


@register
@dataclass(frozen=True)
class Collaborative(CandidateSource):
    """Items nearest to what is bought near the shopper's purchases."""

    name: ClassVar[str] = "collaborative"
    embedding: ClassVar[str] = "collaborative"
    turn: ClassVar[int] = 1
    learned: LinkVectors
    catalogue: Catalogue

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Use the vectors of the release."""
        return cls(parts.collaborative, parts.catalogue)

    def ask(self, shoppers: Shoppers) -> VectorProposal:
        """Search with the decayed mean of the purchases' vectors."""
        vectors, index = self.learned.vectors(shoppers), self.learned.index
        # the shorter search at once: it leaves the interpreter to the longer one, which can begin
        return VectorProposal.begin(vectors, index, beside=False)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the purchase that is bought nearest to the item."""
        past = shoppers.history(row)
        past = past[past != item]
        pull = self.learned.queries[past] @ self.learned.index.catalogue.vectors[item]
        if not len(past) or pull.max() <= 0:
            return None
        return f"bought by shoppers like those of {self.catalogue.label(int(past[pull.argmax()]))}"


@register
@dataclass(frozen=True)
class Fused(CandidateSource):
    """Items nearest to taste and links at once."""

    name: ClassVar[str] = "fused"
    embedding: ClassVar[str] = "text and collaborative"
    turn: ClassVar[int] = 0
    learned: LinkVectors
    index: ItemIndex
    catalogue: Catalogue

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Index both vectors of each item side by side."""
        answers = parts.collaborative.index.catalogue.vectors
        both = np.concatenate((parts.catalogue.vectors, normalised(np.asarray(answers))), axis=1)
        made = replace(
            parts.catalogue, vectors=both.astype(np.float32), encoder=f"fused-{both.shape[1]}"
        )
        return cls(parts.collaborative, ItemIndex.build(made), parts.catalogue)

    def ask(self, shoppers: Shoppers) -> VectorProposal:
        """Search with both vectors of each shopper."""
        both: Floats = np.concatenate((shoppers.vectors, self.learned.vectors(shoppers)), axis=1)
        return VectorProposal.begin(both, self.index)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the nearest of her purchases."""
        return _like(shoppers, row, item, self.catalogue) or "close to past purchases"
