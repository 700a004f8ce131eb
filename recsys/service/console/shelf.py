"""An item's page: what it is, how it sells, what is like it, what is bought after it."""

from dataclasses import dataclass

import numpy as np

from recsys.sales import DAY
from recsys.service.console.history import Item
from recsys.service.console.scene import Scene
from recsys.service.errors import unknown_item

WEEKS = 52
ALIKE = 8


@dataclass(frozen=True)
class Shelf:
    """One item with its surroundings."""

    item: Item
    path: tuple[str, ...]
    purchases: int
    buyers: int
    lately: int  # in 30 days
    rating: float | None
    age_days: float | None
    weekly: list[float]  # sales of the last weeks, oldest first
    alike: list[tuple[Item, float]]


def shelf_of(scene: Scene, item_id: str) -> Shelf:
    """Tell of one item; an unknown one is an error of its own."""
    catalogue, shelf = scene.catalogue, scene.recommender.shelf
    at = catalogue.index.get(item_id)
    if at is None:
        raise unknown_item(item_id)
    stats = shelf.stats
    return Shelf(
        Item.at(catalogue, at),
        tuple(catalogue.categories[at]),
        int(stats.purchases[at]),
        int(stats.buyers[at]),
        int(stats.purchases_30d[at]),
        _known(stats.mean_rating[at]),
        _known(stats.age_days[at]),
        _weekly(scene, at),
        _alike(scene, at),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _weekly(scene: Scene, at: int) -> list[float]:
    """Sales by week, up to where the release's data end."""
    now = int(scene.snapshot.lookup.clock().timestamp())
    ends = now - 7 * DAY * np.arange(WEEKS, -1, -1, dtype=np.int64)
    items = np.full((len(ends), 1), at, np.int32)
    sold = scene.recommender.shelf.sales.before(items, ends).within()[:, 0]
    return [float(each) for each in np.diff(sold)]


def _alike(scene: Scene, at: int) -> list[tuple[Item, float]]:
    """The nearest by the text encoder."""
    catalogue = scene.catalogue
    near = np.asarray(catalogue.vectors @ catalogue.vectors[at], np.float32)
    near[at] = -np.inf
    best = np.argsort(-near, kind="stable")[:ALIKE]
    return [(Item.at(catalogue, int(each)), float(near[each])) for each in best]
