"""Purchases that shoppers begin of their own accord: a visit, a type, a brand, an item."""

import numpy as np
from numpy.typing import NDArray

from recsys.sample import calendar
from recsys.sample.purchases import TASTE, Purchases
from recsys.sample.shop import Shop
from recsys.sample.shoppers import Shoppers
from recsys.sample.vocabulary import Vocabulary

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BASKET = 0.25  # chance that a purchase joins the one before it
LOOKED_AT = 6  # items compared before one is bought
CHUNK = 100_000


def begin(words: Vocabulary, shop: Shop, people: Shoppers, rng: np.random.Generator) -> Purchases:
    """All purchases of taste, several sometimes in one basket."""
    user = np.repeat(np.arange(len(people)), people.visits)
    first = np.concatenate([[True], user[1:] != user[:-1]])
    time = _times(people, user, first, rng)
    item = np.empty(len(user), np.int64)
    for low in range(0, len(user), CHUNK):
        part = slice(low, low + CHUNK)
        kind = _types(words, people, user[part], time[part], rng)
        item[part] = _items(words, shop, people, rng, user=user[part], kind=kind, time=time[part])
    return Purchases(user, item, time, np.full(len(user), TASTE), np.arange(len(user)))


def _times(
    people: Shoppers, user: Ints, first: NDArray[np.bool_], rng: np.random.Generator
) -> Ints:
    """Draw a busy day within the shopper's active time; basket mates a few minutes apart."""
    days = calendar.busy_days()
    edges = calendar.START + np.arange(len(days)) * calendar.DAY
    low = np.interp(people.start, edges, days)[user]
    # everybody buys once inside the window
    stop = np.where(first, np.minimum(people.stop[user], calendar.END), people.stop[user])
    high = np.interp(stop, edges, days)
    fresh = first | (rng.random(len(user)) >= BASKET)
    visit = np.cumsum(fresh) - 1
    lead = np.flatnonzero(fresh)[visit]
    day = np.searchsorted(days, low + rng.random(len(user)) * (high - low), side="right") - 1
    time = calendar.at_some_hour(calendar.START + day * calendar.DAY, rng)
    gaps = np.cumsum(rng.integers(20_000, 420_000, len(user)))
    times: Ints = time[lead] + gaps - gaps[lead]
    return times


def _types(
    words: Vocabulary, people: Shoppers, user: Ints, time: Ints, rng: np.random.Generator
) -> Ints:
    """Draw what is looked for: the shopper's taste at that time, in that season."""
    drifted = (time >= people.drift_at[user])[:, None]
    taste = np.where(drifted, people.later[user], people.taste[user])
    heap = np.cumsum(taste * words.season[calendar.months(time)], axis=1)
    kind: Ints = (heap < (rng.random(len(user)) * heap[:, -1])[:, None]).sum(axis=1)
    return kind


def _items(
    words: Vocabulary,
    shop: Shop,
    people: Shoppers,
    rng: np.random.Generator,
    *,
    user: Ints,
    kind: Ints,
    time: Ints,
) -> Ints:
    """Compare a few items by price and style, from a favourite brand if loyal, and take one."""
    brand = people.brands[user, words.type_department[kind], rng.choice(2, len(user), p=(0.7, 0.3))]
    low, high = shop.shelf[kind, brand].T
    anywhere = (low == high) | (rng.random(len(user)) >= people.loyalty[user])
    low = np.where(anywhere, shop.aisle[kind, 0], low)
    high = np.where(anywhere, shop.aisle[kind, 1], high)
    seen = shop.draw(low[:, None], high[:, None], rng.random((len(user), LOOKED_AT)))
    liking = rng.gumbel(size=seen.shape)
    liking -= 4.0 * np.abs(shop.level[seen] - people.level[user][:, None])
    liking += 1.5 * (shop.style[seen] == people.style[user][:, None])
    liking[shop.released[seen] > time[:, None]] = -np.inf
    best = liking.argmax(axis=1)
    rows = np.arange(len(user))
    return np.where(np.isneginf(liking[rows, best]), shop.flagship[kind], seen[rows, best])
