"""Best sellers of the categories and brands a shopper buys most."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, Longs, spans
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.popular import popularity
from recsys.candidates.proposals import SparseProposal
from recsys.catalogue import Catalogue, ItemStats
from recsys.shoppers import Shoppers
from recsys.sparse import rows_of, top_of_rows


@dataclass(frozen=True, eq=False)
class Shelf:
    """Items of each group (category or brand), best sellers first."""

    codes: Ints  # (I,) group of each item; -1: none
    indptr: Longs
    items: Ints
    scores: Floats

    @classmethod
    def build(cls, codes: Ints, stats: ItemStats) -> "Shelf":
        """Sort what was ever sold into its group."""
        score = np.log1p(popularity(stats))
        listed = np.flatnonzero((codes != PAD) & (score > 0))
        order = listed[np.lexsort((listed, -score[listed], codes[listed]))]
        counts = np.bincount(codes[listed], minlength=int(codes.max(initial=-1)) + 1)
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return cls(codes, indptr, order.astype(np.int32), score[order].astype(np.float32))

    def proposals(self, shoppers: Shoppers, groups: int, each: int) -> tuple[Longs, Ints, Floats]:
        """(row, item, share of the history x popularity) of each shopper's favourite groups."""
        rows = np.repeat(np.arange(len(shoppers)), shoppers.lengths)
        bought = self.codes[shoppers.items]
        share = (1 / np.maximum(shoppers.lengths, 1)).astype(np.float32)[rows]
        known = bought != PAD
        held = rows_of(
            rows[known], bought[known], share[known], (len(shoppers), len(self.indptr) - 1)
        )
        best, shares = top_of_rows(held, groups)
        owner, place = np.nonzero(best != PAD)
        group = best[owner, place]
        counts = np.minimum(np.diff(self.indptr)[group], each)
        at = spans(self.indptr[group], counts)
        weight = np.repeat(shares[owner, place], counts)
        return np.repeat(owner, counts), self.items[at], self.scores[at] * weight


@register
@dataclass(frozen=True)
class Favourites(CandidateSource):
    """Popular items within the favourite categories and brands, by share of the history."""

    name: ClassVar[str] = "favourites"
    vote: ClassVar[float] = 0.25
    catalogue: Catalogue
    categories: Shelf
    brands: Shelf
    groups: int = 3
    each: int = 100  # best sellers looked at on a shelf

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Stock one shelf per category and per brand."""
        catalogue, stats = parts.catalogue, parts.item_stats
        return cls(
            catalogue,
            Shelf.build(catalogue.leaf_codes, stats),
            Shelf.build(catalogue.brand_codes, stats),
        )

    def ask(self, shoppers: Shoppers) -> SparseProposal:
        """Best sellers of both kinds of shelf, added up."""
        found = [
            shelf.proposals(shoppers, self.groups, self.each)
            for shelf in (self.categories, self.brands)
        ]
        rows, items, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        return SparseProposal(rows_of(rows, items, scores, (len(shoppers), len(self.catalogue))))

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the category or the brand she bought from before."""
        past = shoppers.history(row)
        leaf, brand = self.catalogue.leaf_codes, self.catalogue.brand_codes
        if brand[item] != PAD and brand[item] in brand[past]:
            return f"from a brand bought before: {self.catalogue.brands[item]}"
        if leaf[item] != PAD and leaf[item] in leaf[past]:
            return f"close to past purchases: {self.catalogue.categories[item][-1]}"
        return None
