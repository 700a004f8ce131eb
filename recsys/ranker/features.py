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
        if per_row.size == self.real.size:
            return per_row.reshape(self.real.shape)
        full = np.full(self.real.shape, -np.inf, np.float32)
        full[self.real] = per_row
        return full


@dataclass(frozen=True, eq=False)
class Shelf:
    """All that is known of the items at a moment."""

    catalogue: Catalogue
    stats: ItemStats
    sales: Sales

    def told(self, items: Ints, moments: Longs) -> tuple[Floats, Ints | Longs]:
        """Tell of items (U, P) what sold before each shopper's moment (U,).

        Returns what is told (N, F), and which row of it is of which item (U, P).
        """
        today = moments // DAY
        if len(today) and (today == today[0]).all():
            return self._told_on(int(today[0])), items
        told = _of_items(items, moments, self)
        return told.reshape(-1, len(_ITEM)), np.arange(items.size).reshape(items.shape)

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
    """Features of every candidate of every shopper.

    Each part fills its columns in: put together from parts, all of it would be copied twice.
    """
    names, real = feature_names(pool.sources), pool.real
    whole = real.all()
    items = pool.items if whole else np.where(real, pool.items, 0)  # any item at padding
    values = np.empty((*items.shape, len(names)), np.float32)
    at = np.cumsum((len(pool.sources) + 1, len(_SIMILARITY), len(_ITEM), len(_SHOPPER)))
    _fill_said(pool.scores, pool.votes, values)
    tastes = as_read(shoppers.vectors), np.any(shoppers.vectors, axis=1)
    recent, vectors = shoppers.recent(SIMILAR_TO), as_read(shelf.catalogue.vectors)
    _compare(vectors, items, recent, tastes, values[:, :, at[0] : at[1]])
    told, rows = shelf.told(items, shoppers.moments)
    _fill_known(told, rows, _of_shoppers(shoppers), values[:, :, at[1] : at[3]])
    hers, shops = _known(shoppers, shelf)
    _cross(items, hers, shops, values[:, :, at[3] :])
    return Features(names, values.reshape(-1, len(names)) if whole else values[real], real)


@compiled
def _fill_said(scores: Any, votes: Any, values: Any) -> None:
    """What the sources say, and their votes."""
    for row in range(len(votes)):
        for place in range(votes.shape[1]):
            for source in range(scores.shape[2]):
                values[row, place, source] = scores[row, place, source]
            values[row, place, scores.shape[2]] = votes[row, place]


@compiled
def _fill_known(told: Any, rows: Any, buys: Any, values: Any) -> None:
    """What is told of the items, and of the shopper the same beside each of them."""
    for row in range(len(rows)):
        for place in range(rows.shape[1]):
            one, item = values[row, place], rows[row, place]
            for column in range(told.shape[1]):
                one[column] = told[item, column]
            for column in range(buys.shape[1]):
                one[told.shape[1] + column] = buys[row, column]


@summing_freely
def _compare(vectors: Any, items: Any, recent: Any, tastes: Any, told: Any) -> None:
    """Taste, best, mean and last similarity; nan where the shopper gives nothing to compare."""
    for row in range(len(items)):
        for place in range(items.shape[1]):
            if not 0 <= items[row, place] < len(vectors):
                raise IndexError("an item beyond the catalogue")
            vector, one, many = vectors[items[row, place]], told[row, place], 0
            one[:] = np.nan
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


def _known(shoppers: Shoppers, shelf: Shelf) -> tuple[Any, ...]:
    """What candidates are set against: of the shoppers, and of the shop."""
    catalogue, stats, size = shelf.catalogue, shoppers.stats, len(shelf.catalogue)
    views = tuple(shoppers.profile(kind, size)[:3] for kind in ("whole", "recent"))
    histories = shoppers.indptr, shoppers.items, shoppers.ages
    wares = shelf.stats.price_level, catalogue.prices
    usual = stats["mean_gap_days"], stats["price_level"], stats["mean_price"]
    return (histories, views, usual), (catalogue.group_codes, wares)


@compiled
def _cross(items: Any, hers: Any, shops: Any, crosses: Any) -> None:
    """Set each candidate against what its shopper has bought; nan where one is not known."""
    (histories, views, usual), (codes, wares) = hers, shops
    crosses[:] = np.nan
    _meet(items, histories, codes, crosses)
    for view in range(len(views)):
        _share(items, views[view], codes, crosses[:, :, _SHARES + view : _PAST_SHARES : 2])
    _weigh(items, wares, usual, crosses)


@compiled
def _meet(items: Any, histories: Any, codes: Any, crosses: Any) -> None:
    """Compare each candidate with each purchase, the oldest first: the newest age stays."""
    indptr, past, ages = histories
    categories, brands = codes[0], codes[len(codes) - 1]
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
def _share(items: Any, held: Any, codes: Any, shares: Any) -> None:
    """Tell how much of a view of the history is of each candidate's category, parent and brand."""
    indptr, indices, data = held
    for row in range(len(items)):
        total = 0.0
        for at in range(indptr[row], indptr[row + 1]):
            total += data[at]
        whole = max(np.float32(total), np.float32(1e-6))
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
def _weigh(items: Any, wares: Any, usual: Any, crosses: Any) -> None:
    """Set ages against the shopper's usual gap, and prices against what she usually pays."""
    (levels, prices), (gaps, her_level, paid) = wares, usual
    for row in range(len(items)):
        # written so that nan, which compares false, stays nan
        gap = np.float32(1) if gaps[row] < 1 else gaps[row]
        usually = np.float32(0.01) if paid[row] < 0.01 else paid[row]
        for place in range(items.shape[1]):
            item, cross = items[row, place], crosses[row, place]
            cross[_IN_GAPS] = cross[_SINCE] / gap
            cross[_PRICE_FIT] = abs(levels[item] - her_level[row])
            ratio = prices[item] / usually
            cross[_PRICE_RATIO] = np.log(np.float32(1e-3) if ratio < 1e-3 else ratio)
