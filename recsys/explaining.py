"""Why an item has the score it has for one shopper: what the command and the console both tell."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from recsys.candidates.base import DEPTH
from recsys.candidates.pool import build_pool
from recsys.errors import TailorError
from recsys.ranker import Explanation, Origin, build_features, explain_item, origins
from recsys.recommend import Recommender
from recsys.shoppers import Shoppers


def known_shopper(shoppers: Shoppers, user: str, where: str) -> Shoppers:
    """Pick the shopper with a history; a stranger gets what is popular, with nothing to explain."""
    rows = np.flatnonzero((shoppers.user_ids == user) & (shoppers.lengths > 0))
    if not len(rows):
        raise TailorError(
            f"no purchase of shopper {user!r} is known",
            where=where,
            fix="check the id; strangers get what is popular, with nothing to explain",
        )
    return shoppers.take(rows[:1])


def explained(
    recommender: Recommender, shopper: Shoppers, item: int
) -> tuple[Explanation | None, list[Origin]]:
    """Explain an item to one shopper; one that was not pooled is looked for in all of a source."""
    if recommender.ranker is None:
        raise TailorError("there is no ranker", where="explaining", fix="run `tailor run`")
    size, mask = recommender.options.pool, recommender.options.mask_history
    pool = build_pool(shopper, recommender.sources, size, mask_history=mask)
    features = build_features(shopper, pool, recommender.shelf)
    found = explain_item(recommender.ranker, pool, features, item)
    depth = max(DEPTH, size) if found else len(recommender.shelf.catalogue)
    return found, origins(recommender.sources, shopper, item, depth)


def document(found: Explanation | None, sources: Sequence[Origin]) -> dict[str, Any]:
    """Lay an explanation out for machines: ranks from 1, null for what is not there."""
    return {
        "rank": found.rank + 1 if found else None,
        "score": found.score if found else None,
        "base": found.base if found else None,
        "sources": [asdict(one) | {"rank": one.rank + 1} for one in sources],
        "contributions": [
            asdict(one) | {"value": _known(one.value), "words": one.words}
            for one in (found.contributions if found else ())
        ],
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
