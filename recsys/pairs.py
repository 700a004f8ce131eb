"""What the hypernetwork learns from: who a shopper was, and what she bought next.

Purchases teach only of tastes that some shopper had. The catalogue teaches of all others: who
bought an item and some told alike is asked for one of those told most alike (decision 0025).
"""

from typing import NamedTuple

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints
from recsys.candidates import ItemIndex
from recsys.catalogue import Catalogue
from recsys.errors import SettingsError
from recsys.shoppers import Shoppers
from recsys.tastes import Tastes

BOUGHT = 3  # items of a made-up shopper: one at random, the others told alike
ALIKE, NEAR = 50, 10  # items near that one, of which the others are, and of which one is asked for


class Pairs(NamedTuple):
    """Pairs to learn from: first those of purchases, then those of the catalogue."""

    vectors: Floats  # (N, D)
    titles: list[str]  # (N)
    purchases: int


def pairs(
    shoppers: Shoppers, tastes: Tastes, index: ItemIndex, share: float, *, seed: int
) -> Pairs:
    """All purchases of some shoppers, and as much of the catalogue as makes a `share` of all."""
    if not 0 <= share < 1:
        raise SettingsError(
            f"{share} of the pairs from the catalogue",
            where="personalizer.hypernet.catalogue",
            fix="0 or more, and less than 1",
        )
    titles = index.catalogue.titles
    vectors, items = next_purchases(index.catalogue, shoppers, tastes)
    bought = len(items)
    if share:
        more = round(share / (1 - share) * bought)
        others, near = of_the_catalogue(tastes, index, more, seed=seed)
        vectors, items = np.concatenate([vectors, others]), np.concatenate([items, near])
    return Pairs(vectors, [titles[item] for item in items], bought)


def next_purchases(catalogue: Catalogue, shoppers: Shoppers, tastes: Tastes) -> tuple[Floats, Ints]:
    """Pairs (taste before a purchase, the item bought), from every second purchase on."""
    before = tastes.before(shoppers)
    taught = np.any(before, axis=1) & _titled(catalogue)[shoppers.items]
    return before[taught], shoppers.items[taught]


def of_the_catalogue(
    tastes: Tastes, index: ItemIndex, count: int, *, seed: int
) -> tuple[Floats, Ints]:
    """Pairs of made-up shoppers: who bought an item and some told alike, and one most alike.

    The items are drawn at random. There are fewer pairs than asked for where an item has nothing
    near it, or says nothing.
    """
    titled = _titled(index.catalogue)
    count = count if titled.any() else 0
    rng = np.random.default_rng([seed, 31])
    drawn = rng.choice(np.flatnonzero(titled), count) if count else np.empty(0, np.int64)
    items, back = np.unique(drawn, return_inverse=True)
    found, _ = index.search(tastes.words[items], ALIKE + 1)
    good = (found != PAD) & (found != items[:, None]) & titled[found]
    near = np.take_along_axis(found, np.argsort(~good, axis=1, kind="stable"), 1)  # the good first
    there = good.sum(axis=1)[back]

    def drawn_near(most: int) -> Ints:
        """One of the nearest of each, if there is any."""
        place = (rng.random(count) * np.minimum(there, most)).astype(np.int64)
        one: Ints = near[back, place]
        return one

    bought = np.stack([drawn, *(drawn_near(ALIKE) for _ in range(BOUGHT - 1))], axis=1)
    vectors, kept = tastes.of_items(bought), there > 0
    kept &= np.any(vectors, axis=1)
    return vectors[kept], drawn_near(NEAR)[kept]


def _titled(catalogue: Catalogue) -> Bools:
    return np.array([bool(title) for title in catalogue.titles], bool)
