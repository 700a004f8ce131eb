"""Seeded bootstrap over shoppers: how far a mean could have come out by chance."""

from typing import NamedTuple

import numpy as np

from recsys.errors import TailorError
from recsys.evaluation.metrics import Numbers

DRAWS = 2000


class Interval(NamedTuple):
    """A mean and the percentile interval around it."""

    mean: float
    low: float
    high: float

    @property
    def bounds(self) -> list[float]:
        """[low, high], as reports write it."""
        return [self.low, self.high]


def mean_interval(
    values: Numbers, *, seed: int, level: float = 0.95, draws: int = DRAWS
) -> Interval:
    """Interval of the mean of one number per shopper.

    Resampling shoppers only changes how often each distinct value occurs. Ranking metrics have a
    few dozen distinct values, so drawing those counts is the same bootstrap at a small part of
    the cost, for any number of shoppers.
    """
    if not len(values):
        return Interval(0.0, 0.0, 0.0)
    # shares that differ by rounding only are one value
    distinct, counts = np.unique(np.round(values, 12), return_counts=True)
    rng = np.random.default_rng(seed)
    resampled = rng.multinomial(len(values), counts / len(values), size=draws)  # (draws, distinct)
    tail = (1 - level) / 2
    low, high = np.quantile(resampled @ distinct / len(values), [tail, 1 - tail])
    return Interval(float(np.mean(values)), float(low), float(high))


def difference_interval(
    ours: Numbers, theirs: Numbers, *, seed: int, level: float = 0.95, draws: int = DRAWS
) -> Interval:
    """Interval of the mean difference, both methods measured on the same shoppers."""
    if ours.shape != theirs.shape:
        raise TailorError(
            f"{len(ours)} and {len(theirs)} shoppers can't be paired",
            where="bootstrap",
            fix="measure both methods on the same shoppers, in the same order",
        )
    return mean_interval(ours - theirs, seed=seed, level=level, draws=draws)
