"""The shopper's own purchases again: in a shop, things run out."""

from dataclasses import dataclass
from typing import ClassVar, Self

from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.proposals import SparseProposal
from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers


@register
@dataclass(frozen=True)
class Repeat(CandidateSource):
    """Own purchases: often and lately bought first."""

    name: ClassVar[str] = "repeat"
    catalogue: Catalogue

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Needs nothing but the shopper."""
        return cls(parts.catalogue)

    def ask(self, shoppers: Shoppers) -> SparseProposal:
        """Each purchase counts one, halved with every half-life since."""
        return SparseProposal(shoppers.profile("aged", len(self.catalogue)))

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Say when it was bought last."""
        hers = slice(shoppers.indptr[row], shoppers.indptr[row + 1])
        bought = shoppers.ages[hers][shoppers.items[hers] == item]
        if not len(bought):
            return None
        days = int(bought.min())
        when = {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
        return f"bought before, last {when}"
