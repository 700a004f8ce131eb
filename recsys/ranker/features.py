"""What the ranker sees of a shopper and a candidate: the one function for training and serving.

No id, position or row order is among the features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints
from recsys.candidates.pool import Pool
from recsys.catalogue import Catalogue, ItemStats
from recsys.shoppers import STATS, Shoppers

SIMILAR_TO = 10  # last items a candidate is compared with
NOBODY = -2  # stands in a history where nothing is, so that it matches no code, not even "unknown"

_ITEM = ("log_purchases", "log_buyers", "purchases_30d", "purchases_90d", "trend")
_ITEM_KNOWN = ("mean_rating", "age_days", "price_level")
_SIMILARITY = ("taste_similarity", "max_similarity", "mean_similarity", "last_similarity")
_CROSS = (
    "bought_before",
    "days_since_bought",
    "days_since_bought_in_gaps",
    "category_share",
    "days_since_category",
    "brand_share",
    "days_since_brand",
    "price_fit",
    "price_ratio",
)


def feature_names(sources: Sequence[str]) -> tuple[str, ...]:
    """Names of all features, in the order of the columns."""
    return (
        *(f"{kind}_{source}" for source in sources for kind in ("score", "rank")),
        "sources",
        *_SIMILARITY,
        *(f"item_{name}" for name in (*_ITEM, *_ITEM_KNOWN)),
        *(f"shopper_{name}" for name in STATS),
        *_CROSS,
    )


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


def build_features(
    shoppers: Shoppers, pool: Pool, catalogue: Catalogue, stats: ItemStats
) -> Features:
    """Features of every candidate of every shopper."""
    items = np.where(pool.real, pool.items, 0)  # any item at padding: those rows are dropped
    planes = [
        *_from_sources(pool),
        *_similarities(shoppers, items, catalogue),
        *_of_items(items, stats),
        *(shoppers.stats[name][:, None] for name in STATS),
        *_crosses(shoppers, items, catalogue, stats),
    ]
    names = feature_names(pool.sources)
    real = pool.real
    values = np.empty((int(real.sum()), len(names)), np.float32)
    for column, plane in enumerate(planes):
        values[:, column] = np.broadcast_to(plane, real.shape)[real]
    return Features(names, values, real)


def _from_sources(pool: Pool) -> list[Floats]:
    planes = []
    for s in range(len(pool.sources)):
        planes += [pool.scores[:, :, s], pool.ranks[:, :, s]]
    return [*planes, np.isfinite(pool.ranks).sum(axis=2).astype(np.float32)]


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


def _of_items(items: Ints, stats: ItemStats) -> list[Floats]:
    counts = [np.log1p(stats.purchases), np.log1p(stats.buyers)]
    windows = [np.log1p(stats.purchases_30d), np.log1p(stats.purchases_90d)]
    trend = (stats.purchases_30d + 1) / (stats.purchases_90d / 3 + 1)
    known = [getattr(stats, name) for name in _ITEM_KNOWN]
    return [column.astype(np.float32)[items] for column in (*counts, *windows, trend, *known)]


def _crosses(
    shoppers: Shoppers, items: Ints, catalogue: Catalogue, stats: ItemStats
) -> list[Floats]:
    history, ages = shoppers.recent()
    bought = _match(items, history, ages)
    in_category = _match(*_codes(catalogue.leaf_codes, items, history), ages)
    of_brand = _match(*_codes(catalogue.brand_codes, items, history), ages)
    length = np.maximum(shoppers.lengths, 1)[:, None].astype(np.float32)
    gap = np.maximum(shoppers.stats["mean_gap_days"], 1)[:, None]
    ratio = catalogue.prices[items] / np.maximum(shoppers.stats["mean_price"], 0.01)[:, None]
    return [
        bought[0],
        bought[1],
        bought[1] / gap,
        in_category[0] / length,
        in_category[1],
        of_brand[0] / length,
        of_brand[1],
        np.abs(stats.price_level[items] - shoppers.stats["price_level"][:, None]),
        np.log(np.maximum(ratio, np.float32(1e-3))),
    ]


def _codes(codes: Ints, items: Ints, history: Ints) -> tuple[Ints, Ints]:
    """Codes of candidates and of the history; an unknown code matches nothing."""
    past = np.where(history != PAD, codes[history], NOBODY)
    return codes[items], np.where(past == PAD, NOBODY, past).astype(np.int32)


def _match(candidates: Ints, history: Ints, ages: Floats) -> tuple[Floats, Floats]:
    """How often a candidate (U, P) is in the history (U, H, newest first), and days since."""
    counts = np.zeros(candidates.shape, np.float32)
    since = np.full(candidates.shape, np.nan, np.float32)
    for column in range(history.shape[1] - 1, -1, -1):  # oldest first: the newest age stays
        same = candidates == history[:, column, None]
        counts += same
        since = np.where(same, ages[:, column, None], since)
    return counts, since
