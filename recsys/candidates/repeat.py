"""The shopper's own purchases again: in a shop, things run out."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.arrays import PAD, Floats, Ints, top_per_row
from recsys.candidates.base import CandidateSource, Parts, register
from recsys.shoppers import Shoppers


@register
@dataclass(frozen=True)
class Repeat(CandidateSource):
    """Own purchases: often and lately bought first."""

    name: ClassVar[str] = "repeat"
    half_life_days: float = 180.0

    @classmethod
    def build(cls, parts: Parts) -> Self:  # noqa: ARG003
        """Needs nothing but the shopper."""
        return cls()

    def candidates(self, shoppers: Shoppers, k: int) -> tuple[Ints, Floats]:
        """Each purchase counts one, halved with every half-life since."""
        items, ages = shoppers.recent()
        rows, columns = np.nonzero(items != PAD)
        scores = np.exp2(-ages[rows, columns] / np.float32(self.half_life_days))
        return top_per_row(rows, items[rows, columns], scores, (len(shoppers), k))

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Say when it was bought last."""
        one = shoppers.take([row])
        items, ages = one.recent()
        bought = ages[items == item]
        if not len(bought):
            return None
        days = int(bought.min())
        when = {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
        return f"bought before, last {when}"
