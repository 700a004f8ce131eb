"""What sells now: the last 30 days, then 90, then ever."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Bools, Floats, Ints
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.proposals import SameProposal
from recsys.catalogue import ItemStats
from recsys.shoppers import Shoppers


def popularity(stats: ItemStats) -> NDArray[np.float64]:
    """One number per item that orders by 30 days, then 90, then ever; 0: never sold."""
    score = np.zeros(len(stats.purchases))
    for window in (stats.purchases, stats.purchases_90d, stats.purchases_30d):
        score = window + score / (score.max(initial=0) + 1)
    return score


@register
@dataclass(frozen=True)
class Popular(CandidateSource):
    """The same best sellers for everyone; items never sold are not among them."""

    name: ClassVar[str] = "popular"
    personal: ClassVar[bool] = False
    vote: ClassVar[float] = 0.1
    order: Ints  # best sellers first
    scores: Floats  # of every item
    stats: ItemStats

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Order the catalogue of the release."""
        return cls.of(parts.item_stats)

    @classmethod
    def of(cls, stats: ItemStats) -> Self:
        """Order the catalogue once."""
        score = popularity(stats)
        order = np.argsort(-score, kind="stable")[: np.count_nonzero(score)]
        return cls(order.astype(np.int32), score.astype(np.float32), stats)

    def among(self, allowed: Bools) -> Self:
        """Give the same order of fewer items."""
        return replace(self, order=self.order[allowed[self.order]])

    def ask(self, shoppers: Shoppers) -> SameProposal:
        """Say the same to everyone."""
        return SameProposal(len(shoppers), self.order, self.scores)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:  # noqa: ARG002
        """Say over which window the item sells."""
        if self.stats.purchases_30d[item] > 0:
            return "popular this month"
        if self.stats.purchases_90d[item] > 0:
            return "popular in the last three months"
        return "popular in this shop" if self.stats.purchases[item] > 0 else None


@register
@dataclass(frozen=True)
class Fresh(CandidateSource):
    """What came into the shop lately and sells already: newest first, by purchases per day."""

    name: ClassVar[str] = "fresh"
    personal: ClassVar[bool] = False
    vote: ClassVar[float] = 0.1
    order: Ints
    scores: Floats
    newest_days: ClassVar[float] = 60.0

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Order the new items of the release."""
        age, sold = parts.item_stats.age_days, parts.item_stats.purchases
        new = (sold > 0) & (age <= cls.newest_days)
        pace = np.where(new, sold / (np.nan_to_num(age) + 1), 0).astype(np.float32)
        order = np.argsort(-pace, kind="stable")[: np.count_nonzero(pace)]
        return cls(order.astype(np.int32), pace)

    def ask(self, shoppers: Shoppers) -> SameProposal:
        """Say the same to everyone."""
        return SameProposal(len(shoppers), self.order, self.scores)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:  # noqa: ARG002
        """Say that it is new."""
        return "new in the shop" if self.scores[item] > 0 else None
