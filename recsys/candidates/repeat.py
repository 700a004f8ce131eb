"""The shopper's own purchases again: in a shop, things run out."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.proposals import SparseProposal
from recsys.catalogue import Catalogue
from recsys.compiled import compiled
from recsys.shoppers import Shoppers
from recsys.sparse import ragged_sums


@register
@dataclass(frozen=True)
class Repeat(CandidateSource):
    """Own purchases: often and lately bought first."""

    name: ClassVar[str] = "repeat"
    catalogue: Catalogue
    half_life_days: float = 180.0

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Needs nothing but the shopper."""
        return cls(parts.catalogue)

    def ask(self, shoppers: Shoppers) -> SparseProposal:
        """Each purchase counts one, halved with every half-life since."""
        scores = np.empty(len(shoppers.items), np.float32)
        _halve(shoppers.ages, self.half_life_days, scores)
        width = len(self.catalogue)
        return SparseProposal(ragged_sums(shoppers.indptr, shoppers.items, scores, width))

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Say when it was bought last."""
        hers = slice(shoppers.indptr[row], shoppers.indptr[row + 1])
        bought = shoppers.ages[hers][shoppers.items[hers] == item]
        if not len(bought):
            return None
        days = int(bought.min())
        when = {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
        return f"bought before, last {when}"


@compiled
def _halve(ages: Any, half_life: float, scores: Any) -> None:
    for at, age in enumerate(ages):
        scores[at] = 2 ** (-age / half_life)
