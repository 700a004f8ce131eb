"""Best sellers of the categories and brands a shopper buys most."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Ints
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.popular import popularity
from recsys.candidates.proposals import LinkedProposal
from recsys.catalogue import Catalogue, ItemStats
from recsys.compiled import compiled
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
        bounds = np.zeros(2 * len(shoppers) + 1, np.int64)  # of her categories, then of her brands
        bought = np.empty(2 * len(shoppers.items), np.int32)
        shares = np.empty(len(bought), np.float32)
        _lay_out(shoppers.indptr, shoppers.items, self.codes, (bounds, bought, shares))
        width = self.shelves.shape[0]
        liked, worth = top_of_rows(ragged_sums(bounds, bought, shares, width), self.groups)
        each = np.arange(len(shoppers) + 1) * (2 * self.groups)
        return LinkedProposal(ragged_sums(each, liked.ravel(), worth.ravel(), width), self.shelves)

    @cached_property
    def codes(self) -> Ints:
        """The shelves of each item (2, I): of its category, and of its brand; -1: none."""
        brands, first = self.brands.codes, self.categories.rows.shape[0]
        return np.stack((self.categories.codes, np.where(brands == PAD, PAD, brands + first)))

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


@compiled
def _lay_out(indptr: Any, items: Any, codes: Any, laid: Any) -> None:
    """Tell the shelves of each purchase and its share of the history, kind by kind."""
    bounds, bought, shares = laid
    end = 0
    for row in range(len(indptr) - 1):
        for kind in range(2):
            for at in range(indptr[row], indptr[row + 1]):
                bought[end] = codes[kind, items[at]]
                shares[end] = 1 / (indptr[row + 1] - indptr[row])
                end += 1
            bounds[2 * row + kind + 1] = end
