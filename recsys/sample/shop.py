"""What stands on the shelves: types, brands, prices, popularity, and which item leads to which.

Inside this package items are numbered by (type, brand), so that a shelf is a slice. The numbering
never leaves it: ids are random and files are shuffled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.sample import calendar
from recsys.sample.vocabulary import Vocabulary

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shop:
    """Items as arrays, and the shelves they stand on."""

    type: Ints  # (I,)
    brand: Ints  # (I,)
    style: Ints  # (I,), -1 where a type comes in one style
    price: Floats  # (I,)
    level: Floats  # (I,) price percentile within the type, 0 to 1
    quality: Floats  # (I,) shifts the ratings
    released: Ints  # (I,) milliseconds; START for what was there from the first day
    fits: Ints  # (I,) the device a refill belongs to, or -1
    follow: Ints  # (I,) the item a purchase leads to, or -1
    popularity: Floats  # (I,) weight within its type
    heap: Floats  # (I + 1,) cumulated popularity
    shelf: Ints  # (T, B, 2) slice of each type and brand
    aisle: Ints  # (T, 2) slice of each type
    flagship: Ints  # (T,) its most popular item, sold from the first day

    def draw(self, low: Ints, high: Ints, uniform: Floats) -> Ints:
        """Draw one item from each slice by popularity, given numbers from [0, 1)."""
        return _draw(self.heap, low, high, uniform)


def stock(words: Vocabulary, items: int, rng: np.random.Generator) -> Shop:
    """Fill the shelves with as many items as asked."""
    kind, brand, fits = _lay_out(words, items, rng)
    popularity = rng.lognormal(0.0, 1.6, items)
    heap = np.concatenate([[0.0], np.cumsum(popularity)])
    bounds = np.arange(len(words.types) + 1)
    edges = np.searchsorted(kind, bounds)
    aisle = np.stack([edges[:-1], edges[1:]], axis=1)
    flagship = np.array([low + popularity[low:high].argmax() for low, high in aisle])
    shelf = _shelves(words, kind, brand)
    price = _prices(words, kind, brand, rng)
    return Shop(
        type=kind,
        brand=brand,
        style=_styles(words, kind, rng),
        price=price,
        level=_levels(price, kind, aisle),
        quality=rng.normal(0.0, 0.35, items),
        released=_releases(items, flagship, rng),
        fits=fits,
        follow=_follow_ups(
            words, rng, kind=kind, brand=brand, fits=fits, heap=heap, shelf=shelf, aisle=aisle
        ),
        popularity=popularity,
        heap=heap,
        shelf=shelf,
        aisle=aisle,
        flagship=flagship,
    )


def _draw(heap: Floats, low: Ints, high: Ints, uniform: Floats) -> Ints:
    target = heap[low] + uniform * (heap[high] - heap[low])
    found = np.searchsorted(heap, target, side="right") - 1
    drawn: Ints = np.clip(found, low, high - 1)
    return drawn


def _lay_out(words: Vocabulary, items: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Type, brand and fitting device of each item, sorted by type and brand."""
    types = len(words.types)
    counts = 1 + rng.multinomial(items - types, np.full(types, 1 / types))
    kind = np.repeat(np.arange(types), counts)
    brand = np.empty(items, np.int64)
    fits = np.full(items, -1)
    for t in range(types):
        own = np.flatnonzero(words.brand_department == words.type_department[t])
        share = 1 / (1 + rng.permutation(len(own)))
        brand[kind == t] = rng.choice(own, counts[t], p=share / share.sum())
    for t, product in enumerate(words.types):
        if product.fits is not None:  # a refill carries the brand of its device
            devices = rng.permutation(np.flatnonzero(kind == words.index(product.fits)))
            fits[kind == t] = np.resize(devices, counts[t])
            brand[kind == t] = brand[fits[kind == t]]
    order = np.lexsort((brand, kind))
    place = np.empty(items, np.int64)
    place[order] = np.arange(items)
    return kind[order], brand[order], np.where(fits < 0, -1, place[fits])[order]


def _shelves(words: Vocabulary, kind: Ints, brand: Ints) -> Ints:
    brands = len(words.brands)
    every = np.arange(len(words.types) * brands)
    key = kind * brands + brand
    slices = np.stack([np.searchsorted(key, every), np.searchsorted(key, every, "right")], axis=1)
    return slices.reshape(len(words.types), brands, 2)


def _prices(words: Vocabulary, kind: Ints, brand: Ints, rng: np.random.Generator) -> Floats:
    median = np.array([product.price for product in words.types])[kind]
    tier = np.array(words.tiers)[words.brand_tier[brand]]
    price: Floats = np.maximum(
        np.round(median * tier * rng.lognormal(0.0, 0.3, len(kind))) - 0.01, 1.99
    )
    return price


def _levels(price: Floats, kind: Ints, aisle: Ints) -> Floats:
    order = np.lexsort((price, kind))
    rank = np.empty(len(kind), np.int64)
    rank[order] = np.arange(len(kind))
    low, high = aisle[kind].T
    level: Floats = (rank - low + 0.5) / (high - low)
    return level


def _styles(words: Vocabulary, kind: Ints, rng: np.random.Generator) -> Ints:
    styled = np.array([product.options is not None for product in words.types])[kind]
    return np.where(styled, rng.integers(0, len(words.styles), len(kind)), -1)


def _releases(items: int, flagship: Ints, rng: np.random.Generator) -> Ints:
    """Bring out a fifth of the items during the window."""
    days = (calendar.END - calendar.START) // calendar.DAY
    late = calendar.START + rng.integers(30, days - 30, items) * calendar.DAY
    released = np.where(rng.random(items) < 0.2, late, calendar.START)
    released[flagship] = calendar.START
    return released


def _follow_ups(
    words: Vocabulary,
    rng: np.random.Generator,
    *,
    kind: Ints,
    brand: Ints,
    fits: Ints,
    heap: Floats,
    shelf: Ints,
    aisle: Ints,
) -> Ints:
    """Link each item to its refill, or to a companion, of the same brand where there is one."""
    follow = np.full(len(kind), -1)
    refills = rng.permutation(np.flatnonzero(fits >= 0))
    follow[fits[refills]] = refills
    for t, product in enumerate(words.types):
        for step in product.then:
            target = words.index(step.type)
            if words.types[target].fits is None:
                mine = np.flatnonzero(kind == t)
                low, high = shelf[target, brand[mine]].T
                empty = low == high
                low = np.where(empty, aisle[target, 0], low)
                high = np.where(empty, aisle[target, 1], high)
                follow[mine] = _draw(heap, low, high, rng.random(len(mine)))
    return follow
