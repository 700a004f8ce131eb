"""A list for one shopper now: from what was published, or made anew, or the best there is.

Every way down the ladder is taken here, and the answer says which one was, and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from features.lookup import ShopperRow
from recsys.arrays import PAD, Bools
from recsys.candidates.pool import ranks_of
from recsys.ladder import Rung, Why
from recsys.lists import Draft
from recsys.ranker.explain import reasons_of
from recsys.service.filters import Filters, Stock
from recsys.service.shopper import Desk, history_hash, is_down, shopper_of
from recsys.service.snapshot import Snapshot
from recsys.service.stopwatch import Stopwatch
from recsys.shoppers import Shoppers

PUBLISHED, LIVE = "published", "live"
NO_FILTERS = Filters()


@dataclass(frozen=True)
class Asked:
    """What a caller wants a list of."""

    user: str
    k: int = 10
    context_item: str | None = None  # what she looks at: counts as if just bought
    filters: Filters = NO_FILTERS
    explain: bool = False
    highest: Rung = Rung.ADAPTED_LM
    more: Sequence[str] = ()  # what-if: purchases that she did not make
    fewer: Sequence[int] = ()  # what-if: places of the history that are left out

    @property
    def plain(self) -> bool:
        """Whether a published list is an answer to this."""
        return (
            not (self.context_item or self.filters.any or self.explain or self.more or self.fewer)
            and self.highest is Rung.ADAPTED_LM
        )


@dataclass(frozen=True)
class Place:
    """An item of a list; the reason and the ranks only where they were asked for."""

    item: int
    score: float
    reason: str | None = None
    ranks: Mapping[str, int] | None = None  # from 1, by stage


@dataclass(frozen=True, eq=False)
class Answer:
    """A list, what made it, and why nothing better did."""

    user: str
    places: Sequence[Place]
    rung: Rung
    why: Why
    source: str  # published or live
    failures: Sequence[str] = ()
    row: ShopperRow | None = None
    draft: Draft | None = None
    unknown: Sequence[str] = ()  # items that were named, but are not in the release
    watch: Stopwatch = field(default_factory=Stopwatch)


class Lists:
    """Makes lists from a release and the online store."""

    def __init__(self, desk: Desk, stock: Stock) -> None:
        self.desk, self.stock = desk, stock

    def answer(self, snapshot: Snapshot, asked: Asked, watch: Stopwatch | None = None) -> Answer:
        """Answer one shopper."""
        watch = watch or Stopwatch()
        with watch("lookup"):
            row = self.desk.row(snapshot.lookup, asked.user)
        if is_down(row):
            return self.without_lookup(snapshot, asked, Why.LOOKUP_FAILED, watch)
        if asked.plain and (found := _published(snapshot, asked, row, watch)):
            return found
        allowed = asked.filters.allowed(snapshot.catalogue, self.stock)
        context = [asked.context_item] if asked.context_item else []
        with watch("shopper"):
            shopper = shopper_of(snapshot, row, [*asked.more, *context], asked.fewer)
        if context:
            allowed = _without(snapshot, context, allowed)
        return _live(snapshot, asked, row, shopper, allowed=allowed, watch=watch)

    def without_lookup(
        self, snapshot: Snapshot, asked: Asked, why: Why, watch: Stopwatch
    ) -> Answer:
        """Answer without knowing what she bought lately: what was published last, or popular."""
        allowed = asked.filters.allowed(snapshot.catalogue, self.stock)
        row = snapshot.published.rows.get(asked.user)
        rung = Rung.POPULAR if row is None else snapshot.published.rungs[row]
        listed = (
            snapshot.published.popular
            if row is None
            else snapshot.published.places(row, snapshot.published.length)
        )
        places = [Place(item, score) for item, score in listed if allowed is None or allowed[item]][
            : asked.k
        ]
        if len(places) < asked.k:
            places = _filled(snapshot, places, asked.k, allowed)
        return Answer(asked.user, places, rung, why, PUBLISHED, watch=watch)


def _published(
    snapshot: Snapshot, asked: Asked, row: ShopperRow, watch: Stopwatch
) -> Answer | None:
    """The published list, if it is long enough and nothing changed since it was made."""
    lists = snapshot.published
    at = lists.current(asked.user, history_hash(row))
    if at is None or asked.k > lists.length:
        return None
    places = [Place(item, score) for item, score in lists.places(at, asked.k)]
    return Answer(
        asked.user, places, lists.rungs[at], lists.whys[at], PUBLISHED, row=row, watch=watch
    )


def _live(
    snapshot: Snapshot,
    asked: Asked,
    row: ShopperRow,
    shopper: Shoppers,
    *,
    allowed: Bools | None,
    watch: Stopwatch,
) -> Answer:
    """Make a list from what is known now."""
    maker, k = snapshot.recommender, asked.k
    if not len(shopper.items) or asked.highest is Rung.POPULAR:
        why = Why.AS_ASKED if len(shopper.items) else Why.NO_HISTORY
        draft = maker.impersonal(shopper, k, why, allowed=allowed)
    else:
        draft = maker.draft(shopper, k, highest=asked.highest, allowed=allowed, watch=watch)
    rung, why = draft.rung[0], draft.why[0]
    with watch("list"):
        places = places_of(draft, k, explain=asked.explain)
        if not places:
            why = Why.NO_CANDIDATES
        if len(places) < k:
            places = _filled(snapshot, places, k, allowed)
    unknown = [
        item for item in (asked.context_item, *asked.more) if item not in snapshot.catalogue.index
    ]
    return Answer(
        asked.user, places, rung, why, LIVE, tuple(draft.failures), row, draft,
        tuple(item for item in unknown if item), watch,
    )  # fmt: skip


def places_of(draft: Draft, k: int, *, explain: bool) -> list[Place]:
    """The best k of a draft, with reasons and ranks where they are asked for."""
    items, scores = draft.items[:1, :k], draft.scores[0, :k]
    reasons: list[str] = []
    ranks: list[dict[str, int]] = []
    if explain:
        reasons = reasons_of(draft.sources, draft.shoppers, items, ranks_of(draft.proposed, items))[
            0
        ]
        ranks = _ranks(draft, items[0].tolist())
    return [
        Place(
            item,
            score,
            reasons[place] if explain else None,
            ranks[place] if explain else None,
        )
        for place, (item, score) in enumerate(zip(items[0].tolist(), scores.tolist(), strict=True))
        if item != PAD
    ]


def _ranks(draft: Draft, items: Sequence[int]) -> list[dict[str, int]]:
    """Where each item stood after each stage, from 1."""
    orders = {
        str(rung): {item: place for place, item in enumerate(order[0].tolist(), start=1)}
        for rung, order in draft.orders.items()
    }
    return [
        {stage: order[item] for stage, order in orders.items() if item in order} for item in items
    ]


def _filled(snapshot: Snapshot, places: list[Place], k: int, allowed: Bools | None) -> list[Place]:
    """Fill a short list up with what is popular; scores go on falling."""
    taken = {place.item for place in places}
    lowest = min((place.score for place in places), default=0.0)
    order = snapshot.recommender.popular.order
    if allowed is not None:
        order = order[allowed[order]]
    more = [item for item in order[: k + len(taken)].tolist() if item not in taken]
    filled = [
        Place(item, lowest - n, "popular in this shop")
        for n, item in enumerate(more[: k - len(places)], start=1)
    ]
    return [*places, *filled]


def _without(snapshot: Snapshot, items: Sequence[str], allowed: Bools | None) -> Bools:
    """Nobody needs to be shown what she looks at."""
    extra = Filters(exclude=items).allowed(snapshot.catalogue, Stock(None))
    assert extra is not None
    return extra if allowed is None else extra & allowed


def document(snapshot: Snapshot, answer: Answer) -> dict[str, Any]:
    """Lay an answer out for callers."""
    catalogue = snapshot.catalogue
    told: dict[str, Any] = {"unknown_items": list(answer.unknown)} if answer.unknown else {}
    return told | {
        "user": answer.user,
        "release": snapshot.release.id,
        "lineage_key": snapshot.key,
        "rung": str(answer.rung),
        "why": str(answer.why),
        "source": answer.source,
        "items": [
            {
                "rank": rank,
                "item_id": catalogue.item_ids[place.item],
                "title": catalogue.titles[place.item],
                "score": round(place.score, 6),
                **({"reason": place.reason} if place.reason is not None else {}),
                **({"ranks": place.ranks} if place.ranks is not None else {}),
            }
            for rank, place in enumerate(answer.places, start=1)
        ],
    }
