"""Shoppers shown with everything: half of them found, half of them missed, none picked by hand."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys.arrays import PAD, Bools, Ints, Longs
from recsys.catalogue import Catalogue
from recsys.evaluation.case import Case
from recsys.lists import Lists
from recsys.shoppers import Shoppers

SHOWN = 5  # places of each list
HISTORY = 8
LEAST = 4  # purchases, so that there is something to see


def examples(
    case: Case,
    lists: Mapping[str, Lists],
    pool: Ints,
    *,
    profiles: Mapping[str, str],
    k: int,
) -> list[dict[str, Any]]:
    """Tell of the shoppers of a case: purchases, profile, candidates, and every method's list.

    The last of `lists` is what serves. `pool` (U, P) are the candidates in the order of retrieval.
    """
    shoppers, targets, catalogue = case.shoppers, case.targets, case.catalogue
    serving = list(lists)[-1]
    return [
        {
            "user_id": str(shoppers.user_ids[row]),
            "found": _place(lists[serving].items[row, :k], int(targets[row])) is not None,
            "rung": str(lists[serving].rung[row]),
            "why": str(lists[serving].why[row]),
            "profile": profiles.get(str(shoppers.user_ids[row])),
            "history": [
                {"title": catalogue.titles[item]} for item in shoppers.history(row)[-HISTORY:]
            ],
            "purchases": int(shoppers.lengths[row]),
            "target": catalogue.titles[targets[row]] if targets[row] != PAD else None,
            "candidates": {
                "n": int((pool[row] != PAD).sum()),
                "place": _place(pool[row], int(targets[row])),
            },
            "items": _places(lists[serving], row, catalogue, targets),
            "others": {
                name: {
                    "place": _place(each.items[row], int(targets[row])),
                    "items": _places(each, row, catalogue, targets),
                }
                for name, each in lists.items()
                if name != serving
            },
            "place": _place(lists[serving].items[row], int(targets[row])),
        }
        for row in range(len(shoppers))
    ]


def chosen(shoppers: Shoppers, targets: Ints, found: Bools, many: int) -> Longs:
    """The first in the order of a hash: as many missed as found, as far as there are any."""
    enough = (shoppers.lengths >= LEAST) & (targets != PAD)
    if not enough.any():
        enough = np.ones(len(shoppers), bool)
    hits, misses = np.flatnonzero(enough & found), np.flatnonzero(enough & ~found)
    of_hits = min(len(hits), max(many - many // 2, many - len(misses)))
    return np.sort(np.concatenate((hits[:of_hits], misses[: many - of_hits])))


def _place(items: Ints, target: int) -> int | None:
    """From 1; None where it is not among them."""
    at = np.flatnonzero((items == target) & (items != PAD))
    return int(at[0]) + 1 if len(at) else None


def _places(lists: Lists, row: int, catalogue: Catalogue, targets: Ints) -> list[dict[str, Any]]:
    reasons = lists.reasons[row] if lists.reasons else [""] * lists.items.shape[1]
    return [
        {
            "title": catalogue.titles[item],
            "score": float(score),
            "reason": reason,
            "bought": bool(item == targets[row]),
        }
        for item, score, reason in zip(
            lists.items[row][:SHOWN], lists.scores[row][:SHOWN], reasons[:SHOWN], strict=False
        )
        if item != PAD
    ]
