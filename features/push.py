"""A purchase made now, in the online store at once: what the next request sees.

The history, the embeddings (by the function of the batch job, from the same history) and what of
the statistics one more purchase determines. Everything else stays as it was materialised until the
next run, which replaces pushed rows because it tells of a later moment.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from features.decay import Floats, user_vectors
from features.errors import QualityError, StoreError
from features.instants import utc
from features.lookup import ShopperRow
from features.materialize import APPLY
from features.online.base import Changes, Found
from features.online.layout import Row, entity_key
from features.online.values import entry, message
from features.repo.views import layout
from features.store import FeatureRepo
from features.ties import tie_break

HISTORY, STATS = "user_history", "user_purchase_stats"
DAY = 86_400
_SECOND = 1_000_000
_AHEAD = timedelta(minutes=5)
_WINDOW = re.compile(r"purchases_(\d+)d")
_ESCAPES = {n: f"\\u{n:04X}" for n in range(32)} | {
    ord(c): f"\\{e}" for c, e in zip('"\\\b\f\n\r\t', '"\\bfnrt', strict=True)
}


class Pushed(StrEnum):
    """What became of a purchase."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # this item at this second is known already
    TOO_OLD = "too old"  # before all that is kept: the next run counts it


@dataclass(frozen=True)
class Purchase:
    """One purchase; who bought what and when is what makes it the same as another."""

    user_id: str
    item_id: str
    event_timestamp: datetime


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """What a view's embedding of a shopper is made from: the decayed mean of these."""

    view: str
    version: str
    positions: Mapping[str, int]  # item -> row
    vectors: Floats  # (I, D)
    half_life: float

    def of(self, items: Sequence[str], times: Sequence[int]) -> Floats:
        """Embed one history (D,), by the function that embeds all of them."""
        at = np.array([self.positions.get(item, -1) for item in items], np.int64)
        bounds = np.array([0, len(items)], np.int64)
        moments = np.array(times, np.int64)
        embedded: Floats = user_vectors(bounds, at, moments, self.vectors, self.half_life)[0]
        return embedded


@dataclass(frozen=True)
class _Held:
    """What the store has of a shopper in one view, and the second it tells of."""

    values: dict[str, Any]
    as_of: int


class Pusher:
    """Takes purchases one by one; the same purchase twice changes nothing.

    Not for several threads at once; several processes may push the same shopper.
    """

    def __init__(
        self,
        repo: FeatureRepo,
        embeddings: Sequence[ItemVectors],
        recent: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.repo, self.embeddings, self.recent, self.clock = repo, embeddings, recent, clock
        self._views = [layout(name) for name in (HISTORY, STATS, *(e.view for e in embeddings))]

    def push(self, purchase: Purchase) -> Pushed:
        """Bring a purchase into the online store, all views or none."""
        second = self._second(purchase)
        outcome = Pushed.APPLIED

        def decide(found: Found) -> Changes:
            nonlocal outcome
            outcome, changes = self._decide(purchase, second, found)
            return changes

        key = entity_key("user_id", purchase.user_id)
        with self.repo.telling("pushing a purchase"):
            self.repo.online.change(self._views, [key], decide)
        return outcome

    def _second(self, purchase: Purchase) -> int:
        moment = utc(purchase.event_timestamp)
        if not purchase.user_id or not purchase.item_id:
            raise QualityError("a purchase without shopper or item", where=str(purchase))
        if moment > self.clock() + _AHEAD:
            raise QualityError(
                f"a purchase of the future: {moment.isoformat()}",
                where=f"shopper {purchase.user_id}",
                fix="check the clock of the shop",
            )
        return int(moment.timestamp())

    def imagine(self, row: ShopperRow, purchases: Sequence[Purchase]) -> dict[str, dict[str, Any]]:
        """Tell what would be held of a shopper after purchases, by view; nothing is written."""
        held = {
            name: _Held(dict(found.values), int(found.event_timestamp.timestamp()))
            for name, found in row.views.items()
            if found.values and found.event_timestamp
        }
        pushed = {view.name for view in self._views}
        for purchase in purchases:
            known = {name: each for name, each in held.items() if name in pushed}
            held |= self._after(purchase, self._second(purchase), known)[1]
        return {view: after.values for view, after in held.items()}

    def _decide(self, purchase: Purchase, second: int, found: Found) -> tuple[Pushed, Changes]:
        key = entity_key("user_id", purchase.user_id)
        outcome, told = self._after(purchase, second, self._known(found, key))
        return outcome, {
            view: [_row(view, purchase.user_id, after.values, after.as_of)]
            for view, after in told.items()
        }

    def _after(
        self, purchase: Purchase, second: int, known: Mapping[str, "_Held"]
    ) -> tuple[Pushed, dict[str, "_Held"]]:
        """What one more purchase changes in what is held of its shopper."""
        before = known[HISTORY].values if HISTORY in known else {"item_ids": [], "item_times": []}
        held = [*zip(before["item_times"] or [], before["item_ids"] or [], strict=True)]
        if (second, purchase.item_id) in held:
            return Pushed.DUPLICATE, {}
        entries = _in_order([*held, (second, purchase.item_id)])[-self.recent :]
        if (second, purchase.item_id) not in entries:
            return Pushed.TOO_OLD, {}
        as_of = max([*(each.as_of for each in known.values()), second + 1])
        after = _history(entries)
        told: dict[str, Mapping[str, Any]] = {HISTORY: after}
        stats = known.get(STATS)
        first = _first(stats.values, stats.as_of) if stats else None
        if counted := _stats(stats.values if stats else None, first, held, after, as_of):
            told[STATS] = counted
        for made in self.embeddings:
            vector = made.of(after["item_ids"], after["item_times"])
            told[made.view] = {"embedding": vector, "encoder": made.version}
        return Pushed.APPLIED, {view: _Held(dict(each), as_of) for view, each in told.items()}

    def _known(self, found: Found, key: bytes) -> dict[str, "_Held"]:
        if missing := [view.name for view in self._views if view.name not in found]:
            raise StoreError(f"no place for {', '.join(missing)}", where=self.repo.place, fix=APPLY)
        return {
            view.name: _Held(
                view.decoded(found[view.name][key].messages), found[view.name][key].event // _SECOND
            )
            for view in self._views
            if key in found[view.name]
        }


def _in_order(entries: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Oldest to newest; of one second, as `features.history` orders them."""
    newest_first = sorted(entries, key=lambda e: (-e[0], tie_break(e[1]), e[1]))
    return newest_first[::-1]


def _history(entries: Sequence[tuple[int, str]]) -> dict[str, Any]:
    items, times = [item for _, item in entries], [time for time, _ in entries]
    words = ",".join(f'"{item.translate(_ESCAPES)}"' for item in items)
    content = f'{{"item_ids":[{words}],"item_times":[{",".join(map(str, times))}]}}'
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"item_ids": items, "item_times": times, "history_hash": digest}


def _first(stats: Mapping[str, Any], as_of: int) -> int | None:
    """When the first purchase was made."""
    return None if stats["tenure_days"] is None else as_of - round(stats["tenure_days"] * DAY)


def _stats(
    known: Mapping[str, Any] | None,
    first: int | None,
    held: Sequence[tuple[int, str]],
    after: Mapping[str, Any],
    as_of: int,
) -> dict[str, Any] | None:
    """Count one more purchase; nothing where it can't be known what to add it to.

    Exact: how many, since when (`first`: as the statistics have it), when last, the mean gap, and
    the windows that the kept purchases span. A longer window counts one more, and those that left
    it since the last run are still in it. How many different items is exact while all purchases
    are kept. Everything else stays as it was materialised.
    """
    times, items = after["item_times"], after["item_ids"]
    if known is None and len(items) == len(held):  # one fell out: more were bought than are kept
        return None
    columns = layout(STATS).columns
    values = dict(known or dict.fromkeys(columns))
    count = (values["purchases"] if known else len(held)) + 1
    whole = count <= len(times)
    began, last = times[0] if whole or first is None else min(first, times[0]), times[-1]
    exact = {
        "purchases": count,
        "recency_days": (as_of - last) / DAY,
        "tenure_days": (as_of - began) / DAY,
        "mean_gap_days": (last - began) / DAY / (count - 1) if count > 1 else None,
    }
    if whole:
        exact["distinct_items"] = len(set(items))
    for name in columns:
        if window := _WINDOW.fullmatch(name):
            start = as_of - int(window[1]) * DAY
            spanned = whole or times[0] < start
            inside = len(times) - bisect_left(times, start)
            exact[name] = inside if spanned else (values[name] or 0) + 1
    return values | {name: value for name, value in exact.items() if name in columns}


def _row(view: str, user: str, values: Mapping[str, Any], as_of: int) -> Row:
    about = layout(view)
    messages = (message(kind, values[name]) for name, kind in about.columns.items())
    moment = as_of * _SECOND
    return Row(entity_key(about.join_key, user), moment, moment, b"".join(map(entry, messages)))
