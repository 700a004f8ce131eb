"""A shopper as the online store knows her, for the parts that make her list."""

from collections.abc import Sequence
from typing import Any

from features.decay import user_vectors
from features.lookup import HISTORY, Lookup, Outcome, ShopperRow, ViewRow
from recsys.arrays import PAD
from recsys.errors import extra
from recsys.online import TASTE
from recsys.service.breaker import Breaker
from recsys.service.snapshot import Snapshot
from recsys.shoppers import STATS, Shoppers

with extra("recsys"):
    import numpy as np

STATISTICS, PROFILE = "user_purchase_stats", "user_profile"


class Desk:
    """Asks the online store, and leaves it alone for a while when it fails again and again."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker

    def row(self, lookup: Lookup, user: str) -> ShopperRow:
        """What is known of a shopper; that nothing could be asked is told by its outcome."""
        if not self.breaker.allows():
            resting = ViewRow(Outcome.UNAVAILABLE, "it failed often lately")
            return ShopperRow(user, {HISTORY: resting})
        row = lookup.lookup([user])[0]
        if is_down(row):
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        return row


def is_down(row: ShopperRow) -> bool:
    """Whether the store could not be asked."""
    return row.views[HISTORY].outcome in {Outcome.SLOW, Outcome.UNAVAILABLE}


def history_hash(row: ShopperRow) -> str | None:
    """The state of the history that the store has now."""
    told: str | None = row.values(HISTORY).get("history_hash")
    return told


def shopper_of(
    snapshot: Snapshot, row: ShopperRow, more: Sequence[str] = (), fewer: Sequence[int] = ()
) -> Shoppers:
    """One shopper with her history; `more` items stand at its end, as if just bought.

    `fewer` leaves out places of the history. Where the history is another than the stored one, her
    taste is made from it anew, by the function that makes all of them.
    """
    now = snapshot.lookup.clock()
    history, taste = row.values(HISTORY), row.values(TASTE)
    items, times = history.get("item_ids") or (), history.get("item_times") or ()
    if more or fewer:
        later = max([int(now.timestamp()), *(time + 1 for time in times)])
        kept = [place for place in range(len(items)) if place not in set(fewer)]
        items = [*(items[place] for place in kept), *more]
        times = [*(times[place] for place in kept), *[later] * len(more)]
        taste = _taste(snapshot, items, times)
    stats = row.some(STATISTICS, STATS)
    told: dict[str, Any] = {
        "user_id": row.user_id,
        "item_ids": items,
        "item_times": times,
        "embedding": taste.get("embedding"),
        "encoder": taste.get("encoder"),
        **{name: stats.get(name) for name in STATS},
    }
    return Shoppers.from_row(told, snapshot.catalogue, now)


def _taste(snapshot: Snapshot, items: Sequence[str], times: Sequence[int]) -> dict[str, Any]:
    catalogue = snapshot.catalogue
    at = catalogue.positions(items)
    if not (at != PAD).any():
        return {}
    vector = user_vectors(
        np.array([0, len(at)], np.int64),
        at.astype(np.int64),
        np.asarray(times, np.int64),
        np.asarray(catalogue.vectors),
        snapshot.settings.features.embedding.half_life_purchases,
    )[0]
    return {"embedding": vector, "encoder": catalogue.encoder}
