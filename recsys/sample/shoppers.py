"""Who shops: hidden tastes, brands, price level, style, habits and drift."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.sample import calendar
from recsys.sample.vocabulary import Vocabulary

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WANDERING = 0.12  # share of visits that follow everybody's demand, not the shopper's taste
DRIFTING = 0.25  # share of shoppers whose taste changes once
KEEPING = 0.2  # what is left of the old taste after that


@dataclass(frozen=True)
class Shoppers:
    """Shoppers as arrays (U = shoppers, T = types, D = departments)."""

    taste: NDArray[np.float32]  # (U, T) chance of each type, before any drift
    later: NDArray[np.float32]  # (U, T) and after it
    drift_at: Ints  # (U,) milliseconds; HORIZON: never
    brands: Ints  # (U, D, 2) favourite brands by department
    loyalty: Floats  # (U,) chance to look at favourite brands only
    level: Floats  # (U,) price level, 0 cheap to 1 dear
    style: Ints  # (U,)
    keen: Floats  # (U,) chance to buy a used-up item again
    pace: Floats  # (U,) own interval over the typical one
    start: Ints  # (U,) first and last moment of activity, milliseconds
    stop: Ints  # (U,)
    visits: Ints  # (U,) purchases begun of her own accord, before thinning

    def __len__(self) -> int:
        return len(self.level)


def invite(
    words: Vocabulary, users: int, visits_per_user: float, rng: np.random.Generator
) -> Shoppers:
    """Make shoppers; about `visits_per_user` purchases each come from taste alone."""
    start, stop = _active(users, rng)
    taste = _tastes(words, users, rng)
    drifts = rng.random(users) < DRIFTING
    turn = start + ((stop - start) * rng.uniform(0.35, 0.75, users)).astype(np.int64)
    later = np.where(
        drifts[:, None], KEEPING * taste + (1 - KEEPING) * _tastes(words, users, rng), taste
    )
    level = rng.beta(1.6, 1.6, users)
    spread = rng.gamma(1.4, max(visits_per_user - 1, 0) / 1.4, users)
    return Shoppers(
        taste=taste,
        later=later.astype(np.float32),
        drift_at=np.where(drifts, turn, calendar.HORIZON),
        brands=_brands(words, level, rng),
        loyalty=rng.beta(3.0, 2.0, users),
        level=level,
        style=rng.integers(0, len(words.styles), users),
        keen=np.where(rng.random(users) < 0.5, 0.65, 0.12),
        pace=rng.lognormal(0.0, 0.2, users),
        start=start,
        stop=stop,
        visits=1 + rng.poisson(spread),
    )


def _active(users: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Let some be there from the first day, others arrive, and a quarter leave again."""
    span = calendar.END - calendar.START
    arrives = np.where(rng.random(users) < 0.4, 0.0, rng.random(users) * 0.85)
    start = calendar.START + (arrives * span).astype(np.int64)
    leaves = start + ((calendar.END - start) * rng.uniform(0.3, 1.0, users)).astype(np.int64)
    return start, np.where(rng.random(users) < 0.25, leaves, calendar.HORIZON)


def _tastes(words: Vocabulary, users: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Dirichlet weights, concentrated on the types of two departments."""
    home = rng.random((users, len(words.departments))).argsort(axis=1)[:, :2]
    at_home = (words.type_department[None, :, None] == home[:, None, :]).any(axis=2)
    demand = words.demand * len(words.types)
    weight = rng.standard_gamma(np.where(at_home, 0.5, 0.03) * demand) + 1e-12
    taste = (1 - WANDERING) * weight / weight.sum(axis=1, keepdims=True)
    mixed: NDArray[np.float32] = (taste + WANDERING * words.demand).astype(np.float32)
    return mixed


def _brands(words: Vocabulary, level: Floats, rng: np.random.Generator) -> Ints:
    """Two favourites in each department, near the shopper's price level."""
    chosen = []
    for department in range(len(words.departments)):
        own = np.flatnonzero(words.brand_department == department)
        tier = words.brand_tier[own] / (len(words.tiers) - 1)
        liking = rng.gumbel(size=(len(level), len(own))) - 3.0 * np.abs(tier - level[:, None])
        chosen.append(own[np.argsort(-liking, axis=1)[:, :2]])
    return np.stack(chosen, axis=1)
