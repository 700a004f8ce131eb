"""What the ranker sees of a shopper and a candidate: the one function for training and serving.

No id, position or row order is among the features. All that depends on time looks back from the
shopper's own moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Longs
from recsys.candidates.pool import Pool
from recsys.catalogue import Catalogue, ItemStats
from recsys.compiled import as_read, compiled, summing_freely
from recsys.sales import DAY, Sales
from recsys.shoppers import Shoppers

SIMILAR_TO = 10  # last items a candidate is compared with
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

_BOUGHT, _SINCE, _IN_GAPS = map(_CROSS.index, _CROSS[:3])
_SHARES, _PAST_SHARES = _CROSS.index("category_share"), _CROSS.index("days_since_category")
_SINCE_CATEGORY, _SINCE_BRAND, _PRICE_FIT, _PRICE_RATIO = map(_CROSS.index, _CROSS[-4:])


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

    def told(self, items: Ints, moments: Longs) -> Floats:
        """Tell of items (U, P) what sold before each shopper's moment (U,): (U, P, F)."""
        today = moments // DAY
        if len(today) and (today == today[0]).all():
            return self._told_on(int(today[0]))[items]
        return _of_items(items, moments, self)

    def _told_on(self, day: int) -> Floats:
        """Tell of all items; who is served now is told the same again and again."""
        if (told := self._days.get(day)) is None:
            everything = np.arange(len(self.catalogue), dtype=np.int32)[None]
            told = _of_items(everything, np.array([day * DAY]), self)[0]
            self._days.clear()
            self._days[day] = told
        return told

    @cached_property
    def _days(self) -> dict[int, Floats]:
        return {}


def build_features(shoppers: Shoppers, pool: Pool, shelf: Shelf) -> Features:
    """Features of every candidate of every shopper."""
    items = np.where(pool.real, pool.items, 0)  # any item at padding: those rows are dropped
    buys = _of_shoppers(shoppers)[:, None]
    values = np.concatenate(
        (
            pool.scores,
            pool.votes[:, :, None],
            _similarities(shoppers, items, shelf.catalogue),
            shelf.told(items, shoppers.moments),
            np.broadcast_to(buys, (*items.shape, len(_SHOPPER))),
            _crosses(shoppers, items, shelf),
        ),
        axis=2,
    )
    return Features(feature_names(pool.sources), values[pool.real], pool.real)


def _similarities(shoppers: Shoppers, items: Ints, catalogue: Catalogue) -> Floats:
    """Taste, best, mean and last similarity; nan where the shopper gives nothing to compare."""
    told = np.full((*items.shape, len(_SIMILARITY)), np.nan, np.float32)
    recent = np.ascontiguousarray(shoppers.recent(SIMILAR_TO), np.int64)  # (U, n)
    tastes = as_read(shoppers.vectors), np.any(shoppers.vectors, axis=1)
    _compare(as_read(catalogue.vectors), items, recent, tastes, told)
    return told


@summing_freely
def _compare(vectors: Any, items: Any, recent: Any, tastes: Any, told: Any) -> None:
    for row in range(len(items)):
        for place in range(items.shape[1]):
            if not 0 <= items[row, place] < len(vectors):
                raise IndexError("an item beyond the catalogue")
            vector, one, many = vectors[items[row, place]], told[row, place], 0
            if tastes[1][row]:
                one[0] = _cosine(vector, tastes[0][row])
            for past in recent[row]:
                if past == PAD:
                    break
                to_it = _cosine(vector, vectors[past])
                if not many:
                    one[1] = one[2] = one[3] = to_it
                else:
                    one[1], one[2] = max(one[1], to_it), one[2] + to_it
                many += 1
            one[2] /= max(many, 1)


@summing_freely
def _cosine(one: Any, other: Any) -> Any:
    product = np.float32(0)
    for at in range(len(one)):
        product += one[at] * other[at]
    return product


def _of_items(items: Ints, moments: Longs, shelf: Shelf) -> Floats:
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
    planes = [known, *counts, trend, season, *past.first_and_last(), *rest, price]
    return np.stack(planes, axis=2).astype(np.float32)


def _of_shoppers(shoppers: Shoppers) -> Floats:
    """How the shopper buys, from the look-up and the history."""
    told = np.empty((len(shoppers), len(_SHOPPER)), np.float32)
    for column, name in enumerate(_LOOKED_UP):
        told[:, column] = shoppers.stats[name]
    history = told[:, len(_LOOKED_UP) :]
    _how_bought(shoppers.indptr, shoppers.later[1], shoppers.ages, history)
    return told


@compiled
def _how_bought(indptr: Any, later_days: Any, ages: Any, told: Any) -> None:
    for row in range(len(told)):
        start, end = indptr[row], indptr[row + 1]
        days, basket = 0, 0
        for at in range(start, end):
            days = max(days, later_days[at] + 1)
            basket += later_days[at] == 0
        told[row, 0], told[row, 1] = end - start, days
        told[row, 2] = np.float32(end - start) / np.float32(max(days, 1))
        told[row, 3] = basket
        told[row, 4] = ages[end - 1] if end > start else np.nan
        for column, window in enumerate(WINDOWS):
            within = 0
            for at in range(start, end):
                within += ages[at] <= window
            told[row, 5 + column] = within


def _crosses(shoppers: Shoppers, items: Ints, shelf: Shelf) -> Floats:
    catalogue, stats, size = shelf.catalogue, shoppers.stats, len(shelf.catalogue)
    crosses = np.full((*items.shape, len(_CROSS)), np.nan, np.float32)
    histories = (shoppers.indptr, shoppers.items, shoppers.ages)
    codes = catalogue.group_codes
    _meet(items, histories, (catalogue.leaf_codes, catalogue.brand_codes), crosses)
    for view, kind in enumerate(("whole", "recent")):
        held = shoppers.profile(kind, size)
        shares = crosses[:, :, _SHARES + view : _PAST_SHARES : 2]
        _share(items, (held.indptr, held.indices, held.data), (codes, held.sums), shares)
    gap, paid = np.maximum(stats["mean_gap_days"], 1), np.maximum(stats["mean_price"], 0.01)
    wares = shelf.stats.price_level, catalogue.prices
    _weigh(items, wares, (gap, stats["price_level"], paid), crosses)
    return crosses


@compiled
def _meet(items: Any, histories: Any, codes: Any, crosses: Any) -> None:
    """Compare each candidate with each purchase, the oldest first: the newest age stays."""
    indptr, past, ages = histories
    categories, brands = codes
    for row in range(len(items)):
        for place in range(items.shape[1]):
            item, cross = items[row, place], crosses[row, place]
            category, brand = categories[item], brands[item]
            cross[_BOUGHT] = 0
            for at in range(indptr[row], indptr[row + 1]):
                if past[at] == item:
                    cross[_BOUGHT] += 1
                    cross[_SINCE] = ages[at]
                if category != PAD and categories[past[at]] == category:
                    cross[_SINCE_CATEGORY] = ages[at]
                if brand != PAD and brands[past[at]] == brand:
                    cross[_SINCE_BRAND] = ages[at]


@compiled
def _share(items: Any, held: Any, told: Any, shares: Any) -> None:
    """Tell how much of a view of the history is of each candidate's category, parent and brand."""
    (indptr, indices, data), (codes, sums) = held, told
    for row in range(len(items)):
        whole = max(sums[row], np.float32(1e-6))
        for place in range(items.shape[1]):
            for group in range(len(codes)):
                code, share = codes[group, items[row, place]], np.float32(0)
                if code == PAD:
                    continue
                for at in range(indptr[row], indptr[row + 1]):
                    if codes[group, indices[at]] == code:
                        share += data[at]
                shares[row, place, group] = share / whole


@compiled
def _weigh(items: Any, wares: Any, shopper: Any, crosses: Any) -> None:
    """Set ages against the shopper's usual gap, and prices against what she usually pays."""
    (levels, prices), (gaps, her_level, paid) = wares, shopper
    for row in range(len(items)):
        for place in range(items.shape[1]):
            item, cross = items[row, place], crosses[row, place]
            cross[_IN_GAPS] = cross[_SINCE] / gaps[row]
            cross[_PRICE_FIT] = abs(levels[item] - her_level[row])
            ratio = prices[item] / paid[row]
            # written so that nan, which compares false, stays nan
            cross[_PRICE_RATIO] = np.log(np.float32(1e-3) if ratio < 1e-3 else ratio)
