"""What was planted: the answers, for tests and for whoever studies a recommender on this shop."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.sample import calendar, flaws
from recsys.sample.files import ITEMS, REVIEWS, as_line
from recsys.sample.purchases import REASONS, Purchases
from recsys.sample.reviews import Plan
from recsys.sample.shop import Shop
from recsys.sample.shoppers import Shoppers
from recsys.sample.vocabulary import Vocabulary

NEXT = 5  # purchases after the window told per shopper


def types(words: Vocabulary) -> list[dict[str, Any]]:
    """Product types: where they stand, how they sell, what they lead to."""
    return [
        {
            "categories": words.path(t),
            "season": words.season[:, t].tolist(),
            "every_days": product.every_days or None,
            "fits": product.fits,
            "then": [vars(step) for step in product.then],
        }
        for t, product in enumerate(words.types)
    ]


def items(words: Vocabulary, shop: Shop, item_ids: list[str]) -> Iterator[str]:
    """One line per item: its type, relations and release."""
    for item, item_id in enumerate(item_ids):
        product = words.types[shop.type[item]]
        then = int(shop.follow[item])
        yield as_line(
            {
                "item_id": item_id,
                "type": product.name,
                "brand": words.brands[shop.brand[item]],
                "price": float(shop.price[item]),
                "price_level": round(float(shop.level[item]), 3),
                "style": words.styles[shop.style[item]] if shop.style[item] >= 0 else None,
                "popularity": round(float(shop.popularity[item]), 4),
                "released": calendar.iso(int(shop.released[item])),
                "then": item_ids[then] if then >= 0 else None,
                "kind": None if then < 0 else "refill" if shop.fits[then] == item else "companion",
                "every_days": product.every_days or None,
            }
        )


def users(
    words: Vocabulary,
    people: Shoppers,
    future: Purchases,
    rng: np.random.Generator,
    *,
    user_ids: list[str],
    item_ids: list[str],
) -> Iterator[str]:
    """One line per shopper, in random order: taste, habits, drift, and what she buys next."""
    nexts = _nexts(future, item_ids)
    for user in rng.permutation(len(people)).tolist():
        drifts = int(people.drift_at[user]) < calendar.HORIZON
        yield as_line(
            {
                "user_id": user_ids[user],
                "favourites": _favourites(words, people.taste[user]),
                "brands": sorted(words.brands[b] for b in people.brands[user].ravel()),
                "loyalty": round(float(people.loyalty[user]), 3),
                "price_level": round(float(people.level[user]), 3),
                "style": words.styles[people.style[user]],
                "buys_again": round(float(people.keen[user]), 3),
                "pace": round(float(people.pace[user]), 3),
                "drift": {
                    "at": calendar.iso(int(people.drift_at[user])),
                    "favourites": _favourites(words, people.later[user]),
                }
                if drifts
                else None,
                "next": nexts[user],
            }
        )


def _favourites(words: Vocabulary, taste: NDArray[np.float32]) -> dict[str, float]:
    """Name the types that make up most of a taste, dearest first."""
    order = [t for t in np.argsort(-taste).tolist() if taste[t] >= 0.08]
    return {words.types[t].name: round(float(taste[t]), 3) for t in order}


def _nexts(future: Purchases, item_ids: list[str]) -> dict[int, list[dict[str, str]]]:
    found: dict[int, list[dict[str, str]]] = defaultdict(list)
    rows = zip(
        future.user.tolist(),
        future.item.tolist(),
        future.time.tolist(),
        future.reason.tolist(),
        strict=True,
    )
    for user, item, time, reason in rows:
        if len(found[user]) < NEXT:
            found[user].append(
                {"item_id": item_ids[item], "time": calendar.iso(time), "why": REASONS[reason]}
            )
    return found


def bad_rows(order: Plan, torn_items: list[int]) -> list[dict[str, Any]]:
    """File, line and reason of each planted bad row."""
    rows = np.flatnonzero(order.flaw >= 0).tolist()
    found = [
        {"file": REVIEWS, "line": row + 1, "reason": flaws.REASONS[order.flaw[row]]} for row in rows
    ]
    return found + [
        {"file": ITEMS, "line": line, "reason": flaws.UNREADABLE} for line in torn_items
    ]
