"""The same best sellers for everyone."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.arrays import Floats
from recsys.catalogue import Catalogue
from recsys.evaluation.baselines.base import Baseline, Progress, register
from recsys.shoppers import Shoppers


@register
@dataclass(frozen=True, eq=False)
class Popularity(Baseline):
    """Purchases ever, the same for all; no opinion on what was never sold."""

    name: ClassVar[str] = "popularity"
    counts: Floats  # (I,), -inf: never sold

    @classmethod
    def fit(
        cls,
        known: Shoppers,
        catalogue: Catalogue,
        *,
        seed: int = 0,  # noqa: ARG003
        progress: Progress | None = None,  # noqa: ARG003
    ) -> Self:
        """Count."""
        counts = np.bincount(known.items, minlength=len(catalogue)).astype(np.float32)
        return cls(np.where(counts > 0, counts, np.float32(-np.inf)))

    def scores(self, shoppers: Shoppers) -> Floats:
        """Give everyone the same."""
        return np.tile(self.counts, (len(shoppers), 1))
