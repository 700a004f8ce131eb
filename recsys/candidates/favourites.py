"""Best sellers of the categories and brands a shopper buys most."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.popular import popularity
from recsys.candidates.proposals import LinkedProposal
from recsys.catalogue import Catalogue, ItemStats
from recsys.errors import extra
from recsys.shoppers import Shoppers
from recsys.sparse import Links, matrix, pruned, ragged_sums, top_of_rows

with extra("recsys"):
    from scipy import sparse


@dataclass(frozen=True, eq=False)
class Shelf:
    """Items of each group (category or brand), best sellers first."""

    codes: Ints  # (I,) group of each item; -1: none
    rows: Any  # scipy CSR (G, I): popularity

    @classmethod
    def build(cls, codes: Ints, stats: ItemStats, each: int) -> "Shelf":
        """Put the best sellers of each group on its shelf."""
        score = np.log1p(popularity(stats)).astype(np.float32)
        listed = np.flatnonzero(codes != PAD)
        shape = (int(codes.max(initial=-1)) + 1, len(codes))
        return cls(codes, pruned(matrix(codes[listed], listed, score[listed], shape), each))

    def favourites(self, shoppers: Shoppers, groups: int) -> tuple[Ints, Floats]:
        """Find the groups a shopper bought most of, and their shares of the history."""
        share = np.repeat(1 / np.maximum(shoppers.lengths, 1), shoppers.lengths)
        bought = self.codes[shoppers.items]
        return top_of_rows(ragged_sums(shoppers.indptr, bought, share, self.rows.shape[0]), groups)


@register
@dataclass(frozen=True)
class Favourites(CandidateSource):
    """Popular items within the favourite categories and brands, by share of the history."""

    name: ClassVar[str] = "favourites"
    vote: ClassVar[float] = 0.25
    groups: ClassVar[int] = 3
    each: ClassVar[int] = 100  # best sellers looked at on a shelf
    catalogue: Catalogue
    categories: Shelf
    brands: Shelf

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Stock one shelf per category and per brand."""
        catalogue, stats = parts.catalogue, parts.item_stats
        return cls(
            catalogue,
            Shelf.build(catalogue.leaf_codes, stats, cls.each),
            Shelf.build(catalogue.brand_codes, stats, cls.each),
        )

    def ask(self, shoppers: Shoppers) -> LinkedProposal:
        """Best sellers of both kinds of shelf, added up."""
        leaves, leaf_shares = self.categories.favourites(shoppers, self.groups)
        brands, brand_shares = self.brands.favourites(shoppers, self.groups)
        first = self.categories.rows.shape[0]  # of the brands' shelves, behind the categories'
        shelves = np.concatenate((leaves, np.where(brands == PAD, PAD, brands + first)), axis=1)
        shares = np.concatenate((leaf_shares, brand_shares), axis=1)
        each = np.arange(len(shoppers) + 1) * shelves.shape[1]
        liked = ragged_sums(each, shelves.ravel(), shares.ravel(), self.shelves.shape[0])
        return LinkedProposal(liked, self.shelves)

    @cached_property
    def shelves(self) -> Links:
        """All shelves, one below the other."""
        rows = (self.categories.rows, self.brands.rows)
        return Links.of(sparse.vstack(rows, format="csr"))

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the category or the brand she bought from before."""
        past = shoppers.history(row)
        leaf, brand = self.catalogue.leaf_codes, self.catalogue.brand_codes
        if brand[item] != PAD and brand[item] in brand[past]:
            return f"from a brand bought before: {self.catalogue.brands[item]}"
        if leaf[item] != PAD and leaf[item] in leaf[past]:
            return f"close to past purchases: {self.catalogue.categories[item][-1]}"
        return None
