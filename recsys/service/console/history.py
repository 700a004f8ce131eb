"""A shopper's purchases as a person reads them: what, when, how long ago, of what kind."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers

DAY = 86_400


@dataclass(frozen=True)
class Item:
    """An item as pages name it."""

    id: str
    title: str
    category: str  # the narrowest
    aisle: str  # the one above it, or the narrowest
    brand: str
    price: float | None

    @classmethod
    def at(cls, catalogue: Catalogue, position: int) -> "Item":
        """Read one item of the catalogue."""
        path = catalogue.categories[position]
        price = float(catalogue.prices[position])
        return cls(
            catalogue.item_ids[position],
            catalogue.titles[position] or "without a title",
            path[-1] if path else "",
            path[-2] if len(path) > 1 else (path[-1] if path else ""),
            catalogue.brands[position] or "",
            price if np.isfinite(price) else None,
        )


@dataclass(frozen=True)
class Bought:
    """One purchase."""

    item: Item
    when: datetime
    days_ago: float
    times_before: int  # she bought the same item so often before


def purchases_of(shopper: Shoppers, catalogue: Catalogue) -> list[Bought]:
    """Purchases of the one shopper, oldest first."""
    seen: dict[int, int] = {}
    told = []
    moment = int(shopper.moments[0])
    for item, second in zip(shopper.items, shopper.times, strict=True):
        before = seen.get(int(item), 0)
        seen[int(item)] = before + 1
        when = datetime.fromtimestamp(int(second), UTC)
        ago = max(moment - int(second), 0) / DAY
        told.append(Bought(Item.at(catalogue, int(item)), when, ago, before))
    return told
