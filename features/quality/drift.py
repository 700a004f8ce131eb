"""How far a column has moved since the last release: PSI and KS."""

import numpy as np
from numpy.typing import NDArray

from features.quality.profile import Numbers, below

BINS = 10
FLOOR = 1e-4
"""The least share of a bin: an empty one must not make the logarithm infinite."""

Doubles = NDArray[np.float64]


def psi(before: Numbers, now: Doubles) -> float:
    """The population stability index over bins that held about a tenth each before.

    Sum over bins of (now - before) * ln(now / before), of shares.
    """
    edges, reached = _deciles(before)
    shares = np.diff(np.concatenate(([0.0], reached, [1.0])))
    found = np.diff(np.concatenate(([0.0], below(_known(now), edges), [1.0])))
    old, new = np.maximum(shares, FLOOR), np.maximum(found, FLOOR)
    return float(np.sum((new - old) * np.log(new / old)))


def ks(before: Numbers, now: Doubles) -> float:
    """The largest distance between the two cumulative shares, at the points that were kept."""
    grid = np.array(before.grid)
    return float(np.abs(below(_known(now), grid) - np.array(before.cumulative)).max())


def comparable(before: Numbers, now: Doubles) -> bool:
    """Whether both have a distribution to compare."""
    return len(before.grid) > 1 and bool(np.isfinite(now).any())


def _known(values: Doubles) -> Doubles:
    known: Doubles = values[np.isfinite(values)]
    return known


def _deciles(before: Numbers) -> tuple[Doubles, Doubles]:
    """Pick the points that end the bins; where values repeat, there are fewer bins."""
    cumulative = np.array(before.cumulative)
    wanted = np.arange(1, BINS) / BINS
    at = np.unique(np.searchsorted(cumulative, wanted - 1e-12))
    at = at[cumulative[np.minimum(at, len(cumulative) - 1)] < 1]
    return np.array(before.grid)[at], cumulative[at]
