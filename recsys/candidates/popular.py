"""What sells now: the last 30 days, then 90, then ever."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Floats, Ints, padded
from recsys.candidates.base import CandidateSource, Parts, register
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
    items: Ints  # best sellers first
    scores: Floats
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
        return cls(order.astype(np.int32), score[order].astype(np.float32), stats)

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Give everyone the best k."""
        items, scores = padded((len(shoppers), k))
        found = min(k, len(self.items))
        items[:, :found] = self.items[:found]
        scores[:, :found] = self.scores[:found]
        return items, scores

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:  # noqa: ARG002
        """Say over which window the item sells."""
        if self.stats.purchases_30d[item] > 0:
            return "popular this month"
        if self.stats.purchases_90d[item] > 0:
            return "popular in the last three months"
        return "popular in this shop" if self.stats.purchases[item] > 0 else None
