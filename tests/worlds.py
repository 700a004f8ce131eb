"""Tiny shops whose right answers are known by construction.

Each world tells its items, its purchases, and under `expected` what a good recommender finds.
Ids say what a thing is, for whoever reads a failing test; no code under test may use that.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DAY = 86_400
START = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class World:
    """A shop small enough to know by heart."""

    items: list[dict[str, Any]]  # item_id, title, categories, brand, price
    purchases: list[tuple[str, str, int, float | None]]  # user, item, epoch seconds, rating
    expected: dict[str, Any]

    @property
    def users(self) -> list[str]:
        """All shoppers, sorted."""
        return sorted({user for user, *_ in self.purchases})

    def history(self, user: str) -> list[str]:
        """What a shopper bought, oldest first."""
        return [i for _, i in sorted((time, i) for u, i, time, _ in self.purchases if u == user)]

    def write_raw(self, out: Path) -> None:
        """Write reviews.jsonl and items.jsonl in the Amazon 2023 layout."""
        out.mkdir(parents=True, exist_ok=True)
        _write(out / "reviews.jsonl", (_review(*purchase) for purchase in self.purchases))
        _write(out / "items.jsonl", (_metadata(item) for item in self.items))


def two_tastes(users: int = 40, bought: int = 7) -> World:
    """Half the shoppers buy only tea things, the others only bicycle things.

    `expected["next"][user]` holds what is left of her taste; nothing else is ever right.
    """
    rng = random.Random(1)
    names = {"tea": "Kitchen", "bike": "Sports"}
    shelf = {taste: [f"{taste}-{n}" for n in range(10)] for taste in names}
    items = [
        _item(item, f"{taste.title()} thing number {n}", [names[taste], taste.title()], price=5 + n)
        for taste in names
        for n, item in enumerate(shelf[taste])
    ]
    taste_of = {f"u{n:02}": ("tea", "bike")[n % 2] for n in range(users)}
    purchases = []
    for user, taste in taste_of.items():
        day = rng.randrange(30)
        for item in rng.sample(shelf[taste], bought):
            day += rng.randrange(5, 30)
            purchases.append((user, item, START + day * DAY + rng.randrange(DAY), 5.0))
    rng.shuffle(purchases)
    world = World(items, purchases, {"taste_of": taste_of, "shelf": shelf})
    for user, taste in taste_of.items():
        left = set(shelf[taste]) - set(world.history(user))
        world.expected.setdefault("next", {})[user] = left
    return world


def refills(users: int = 36, devices: int = 6) -> World:
    """Every device is followed by its own refill within ten days.

    The last thing each shopper bought is a device: `expected["next"][user]` is its refill, which
    she does not have yet. `expected["refill_of"]` maps each device to its refill.
    """
    rng = random.Random(2)
    refill_of = {f"device-{n}": f"refill-{n}" for n in range(devices)}
    items = []
    for n, (device, refill) in enumerate(refill_of.items()):
        brand = f"Brand {n}"
        items.append(_item(device, f"Machine {n}", ["Home", "Machines"], 90 + n, brand))
        items.append(_item(refill, f"Filter for Machine {n}", ["Home", "Filters"], 9 + n, brand))
    purchases = []
    expected: dict[str, Any] = {"refill_of": refill_of, "next": {}}
    for n in range(users):
        user, day = f"u{n:02}", rng.randrange(60)
        *done, last = rng.sample(sorted(refill_of), 3)
        for device in done:
            soon = day + rng.randrange(2, 10)
            purchases.append((user, device, START + day * DAY, 4.0))
            purchases.append((user, refill_of[device], START + soon * DAY, None))
            day = soon + rng.randrange(40, 120)
        purchases.append((user, last, START + day * DAY, 5.0))
        expected["next"][user] = refill_of[last]
    rng.shuffle(purchases)
    return World(items, purchases, expected)


def changed_minds(users: int = 20) -> World:
    """Shoppers who liked one of two tastes and switched to the other half-way.

    `expected["next"][user]` holds what is left of the new taste: the recent past counts.
    """
    rng = random.Random(3)
    shelf = {taste: [f"{taste}-{n}" for n in range(8)] for taste in ("garden", "music")}
    items = [
        _item(item, f"{taste.title()} piece {n}", [taste.title(), "Pieces"], price=10 + n)
        for taste in shelf
        for n, item in enumerate(shelf[taste])
    ]
    purchases = []
    expected: dict[str, Any] = {"next": {}, "new_taste": {}}
    for n in range(users):
        user, (old, new) = f"u{n:02}", rng.sample(sorted(shelf), 2)
        bought = rng.sample(shelf[old], 5) + rng.sample(shelf[new], 5)
        for at, item in enumerate(bought):
            purchases.append((user, item, START + (20 * at + rng.randrange(15)) * DAY, None))
        expected["next"][user] = set(shelf[new]) - set(bought)
        expected["new_taste"][user] = new
    rng.shuffle(purchases)
    return World(items, purchases, expected)


def _item(
    item_id: str, title: str, categories: list[str], price: float, brand: str | None = None
) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "title": title,
        "categories": categories,
        "brand": brand,
        "price": float(price),
    }


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _review(user: str, item: str, seconds: int, rating: float | None) -> dict[str, Any]:
    return {
        "rating": rating,
        "title": "",
        "text": "",
        "images": [],
        "asin": item,
        "parent_asin": item,
        "user_id": user,
        "timestamp": seconds * 1000,
        "helpful_vote": 0,
        "verified_purchase": True,
    }


def _metadata(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "main_category": item["categories"][0],
        "title": item["title"],
        "average_rating": None,
        "rating_number": None,
        "features": [],
        "description": [],
        "price": item["price"],
        "store": item["brand"],
        "categories": item["categories"],
        "details": {},
        "parent_asin": item["item_id"],
    }
