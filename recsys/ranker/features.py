"""What the ranker sees of a shopper and a candidate: the one function for training and serving.

No id, position or row order is among the features. All that depends on time looks back from the
shopper's own moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Longs
from recsys.candidates.pool import Pool
from recsys.catalogue import Catalogue, ItemStats
from recsys.compiled import compiled
from recsys.sales import Sales
from recsys.shoppers import Shoppers
from recsys.sparse import product, values_at

SIMILAR_TO = 10  # last items a candidate is compared with
NOBODY = -2  # stands in a history where nothing is, so that it matches no code, not even "unknown"
WINDOWS = (30, 90, 365)  # days

_ITEM_KNOWN = ("mean_rating", "price_level")
_SIMILARITY = ("taste_similarity", "max_similarity", "mean_similarity", "last_similarity")
_ITEM = (
    "item_log_known",
    "item_log_sold",
    *(f"item_log_sold_{days}d" for days in WINDOWS),
    "item_trend",
    "item_season",
    "item_age_days",
    "item_idle_days",
    *(f"item_{name}" for name in _ITEM_KNOWN),
    "item_log_price",
)
# of the look-up only what depends on no clock
_LOOKED_UP = (
    "distinct_items",
    "distinct_categories",
    "distinct_brands",
    "mean_gap_days",
    "mean_price",
    "price_level",
)
_SHOPPER = (
    *(f"shopper_{name}" for name in _LOOKED_UP),
    "shopper_purchases",
    "shopper_days",
    "shopper_purchases_per_day",
    "shopper_last_basket",
    "shopper_recency_days",
    *(f"shopper_purchases_{days}d" for days in WINDOWS),
)
_GROUPS = ("category", "parent_category", "brand")
_CROSS = (
    "bought_before",
    "days_since_bought",
    "days_since_bought_in_gaps",
    *(f"{group}_{view}" for group in _GROUPS for view in ("share", "lately")),
    "days_since_category",
    "days_since_brand",
    "price_fit",
    "price_ratio",
)


def feature_names(sources: Sequence[str]) -> tuple[str, ...]:
    """Names of all features, in the order of the columns."""
    scores = (f"score_{source}" for source in sources)
    return (*scores, "votes", *_SIMILARITY, *_ITEM, *_SHOPPER, *_CROSS)


@dataclass(frozen=True, eq=False)
class Features:
    """One row per real candidate of a pool, shopper by shopper."""

    names: tuple[str, ...]
    values: Floats  # (N, F), nan where unknown
    real: Bools  # (U, P): where the N rows stand in the pool

    def spread(self, per_row: Floats) -> Floats:
        """Values of the rows at their places in the pool (U, P); -inf at padding."""
        full = np.full(self.real.shape, -np.inf, np.float32)
        full[self.real] = per_row
        return full


@dataclass(frozen=True, eq=False)
class Shelf:
    """All that is known of the items at a moment."""

    catalogue: Catalogue
    stats: ItemStats
    sales: Sales


def build_features(shoppers: Shoppers, pool: Pool, shelf: Shelf) -> Features:
    """Features of every candidate of every shopper."""
    items = np.where(pool.real, pool.items, 0)  # any item at padding: those rows are dropped
    planes = [
        *np.moveaxis(pool.scores, 2, 0),
        pool.votes,
        *_similarities(shoppers, items, shelf.catalogue),
        *_of_items(items, shoppers.moments, shelf),
        *(column[:, None] for column in _of_shoppers(shoppers)),
        *_crosses(shoppers, items, shelf),
    ]
    names = feature_names(pool.sources)
    real = pool.real
    values = np.empty((*real.shape, len(names)), np.float32)
    for column, plane in enumerate(planes):
        values[:, :, column] = plane
    return Features(names, values[real], real)


def _similarities(shoppers: Shoppers, items: Ints, catalogue: Catalogue) -> list[Floats]:
    """Taste, best, mean and last similarity; nan where the shopper gives nothing to compare."""
    recent = shoppers.recent(SIMILAR_TO)[0]  # (U, n)
    against = catalogue.vectors[np.maximum(recent, 0)]  # (U, n, D)
    against = np.concatenate((against, shoppers.vectors[:, None]), axis=1)
    all_ = np.matmul(catalogue.vectors[items], against.transpose(0, 2, 1))  # (U, P, n + 1)
    real = (recent != PAD)[:, None, :]  # (U, 1, n)
    has_taste: Bools = np.any(shoppers.vectors, axis=1, keepdims=True)
    to_items = all_[:, :, :-1]
    best = np.where(real, to_items, -np.inf).max(axis=2)
    with np.errstate(invalid="ignore"):
        mean = np.where(real, to_items, 0).sum(axis=2) / real.sum(axis=2)
    return [
        np.where(has_taste, all_[:, :, -1], np.nan),
        np.where(np.isfinite(best), best, np.nan),
        mean,
        np.where(real[:, :, 0], to_items[:, :, 0], np.nan),
    ]


def _of_items(items: Ints, moments: Longs, shelf: Shelf) -> list[Floats]:
    """What sold before the shopper's moment, and what the statistics hold altogether."""
    past = shelf.sales.before(items, moments)
    sold = {days: past.within(days) for days in (None, *WINDOWS)}
    known = np.log1p(shelf.stats.purchases).astype(np.float32)[items]
    counts = [np.log1p(sold[days]) for days in sold]
    trend = (sold[30] + 1) / (sold[90] / 3 + 1)
    # the share of a year's purchases that fell into the two months ahead, a year ago
    season = (sold[365] - past.within(305) + 1) / (sold[365] + 6)
    rest = [getattr(shelf.stats, name)[items] for name in _ITEM_KNOWN]
    price = np.log(np.maximum(shelf.catalogue.prices[items], np.float32(0.01)))
    return [known, *counts, trend, season, *past.first_and_last(), *rest, price]


def _of_shoppers(shoppers: Shoppers) -> list[Floats]:
    """How the shopper buys, from the look-up and the history: each (U,)."""
    ages = shoppers.recent()[1]  # (U, H) newest first
    owner = np.repeat(np.arange(len(shoppers)), shoppers.lengths)
    later = shoppers.later[1]
    length = shoppers.lengths.astype(np.float32)
    days = np.zeros(len(shoppers), np.float32)
    np.maximum.at(days, owner, (later + 1).astype(np.float32))
    basket = np.bincount(owner[later == 0], minlength=len(shoppers)).astype(np.float32)
    newest = ages[:, 0] if ages.shape[1] else np.full(len(shoppers), np.nan, np.float32)
    return [
        *(shoppers.stats[name] for name in _LOOKED_UP),
        length,
        days,
        length / np.maximum(days, 1),
        basket,
        newest,
        *((ages <= window).sum(axis=1).astype(np.float32) for window in WINDOWS),
    ]


def _crosses(shoppers: Shoppers, items: Ints, shelf: Shelf) -> list[Floats]:
    catalogue = shelf.catalogue
    history, ages = shoppers.recent()
    bought, since = _match(items, history, ages)
    gap = np.maximum(shoppers.stats["mean_gap_days"], 1)[:, None]
    in_category = _match(*_codes(catalogue.leaf_codes, items, history), ages)[1]
    of_brand = _match(*_codes(catalogue.brand_codes, items, history), ages)[1]
    ratio = catalogue.prices[items] / np.maximum(shoppers.stats["mean_price"], 0.01)[:, None]
    return [
        bought,
        since,
        since / gap,
        *_shares(shoppers, items, catalogue),
        in_category,
        of_brand,
        np.abs(shelf.stats.price_level[items] - shoppers.stats["price_level"][:, None]),
        np.log(np.maximum(ratio, np.float32(1e-3))),
    ]


def _shares(shoppers: Shoppers, items: Ints, catalogue: Catalogue) -> list[Floats]:
    """How much of the history, and of its end, is of the candidate's category or brand."""
    size = len(catalogue)
    views = [shoppers.profile(view, size) for view in ("whole", "recent")]
    totals = [np.maximum(view.sums, np.float32(1e-6))[:, None] for view in views]
    planes = []
    for codes, of_group in catalogue.groups:
        for view, total in zip(views, totals, strict=True):
            share = values_at(product(view, of_group), codes[items]) / total
            planes.append(np.where(codes[items] == PAD, np.nan, share).astype(np.float32))
    return planes


def _codes(codes: Ints, items: Ints, history: Ints) -> tuple[Ints, Ints]:
    """Codes of candidates and of the history; an unknown code matches nothing."""
    past = np.where(history != PAD, codes[history], NOBODY)
    return codes[items], np.where(past == PAD, NOBODY, past).astype(np.int32)


def _match(candidates: Ints, history: Ints, ages: Floats) -> tuple[Floats, Floats]:
    """How often a candidate (U, P) is in the history (U, H, newest first), and days since."""
    counts = np.zeros(candidates.shape, np.float32)
    since = np.full(candidates.shape, np.nan, np.float32)
    _count_matches(candidates, history, ages, counts, since)
    return counts, since


@compiled
def _count_matches(candidates: Any, history: Any, ages: Any, counts: Any, since: Any) -> None:
    for row in range(len(candidates)):
        for place in range(candidates.shape[1]):
            for past in range(history.shape[1] - 1, -1, -1):  # oldest first: the newest age stays
                if history[row, past] == candidates[row, place]:
                    counts[row, place] += 1
                    since[row, place] = ages[row, past]
