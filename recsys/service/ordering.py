"""The caller's own items, ordered for a shopper: candidates to rerank, options to choose from."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recsys.arrays import PAD, Floats, Ints
from recsys.ladder import Rung, Why
from recsys.service.answers import LIVE, Answer, Asked, Lists, Place, places_of
from recsys.service.shopper import is_down, shopper_of
from recsys.service.snapshot import Snapshot
from recsys.service.stopwatch import Stopwatch


def reordered(
    lists: Lists,
    snapshot: Snapshot,
    asked: Asked,
    items: Sequence[str],
    why: Why | None = None,
) -> Answer:
    """Order some items for a shopper; those the release does not know are told apart.

    Where nothing is known of her, or `why` says that there is no time, by what sells.
    """
    watch = Stopwatch()
    given = snapshot.catalogue.positions(dict.fromkeys(items))
    unknown = tuple(
        item for item, at in zip(dict.fromkeys(items), given.tolist(), strict=True) if at == PAD
    )
    given = given[given != PAD]
    answer = (
        _by_sales(snapshot, asked, given, why)
        if why
        else _by_taste(lists, snapshot, asked, given, watch)
    )
    return replace(answer, unknown=unknown, watch=watch)


def _by_taste(
    lists: Lists, snapshot: Snapshot, asked: Asked, given: Ints, watch: Stopwatch
) -> Answer:
    with watch("lookup"):
        row = lists.desk.row(snapshot.lookup, asked.user)
    if is_down(row):
        return _by_sales(snapshot, asked, given, Why.LOOKUP_FAILED)
    shopper = shopper_of(snapshot, row)
    if not len(shopper.items):
        return _by_sales(snapshot, asked, given, Why.NO_HISTORY)
    if not len(given):
        return Answer(asked.user, (), Rung.POPULAR, Why.NO_CANDIDATES, LIVE, row=row)
    draft = snapshot.recommender.draft(shopper, len(given), given=given[None], watch=watch)
    if draft.rung[0] is Rung.POPULAR:  # retrieval failed, and knows nothing of these items
        return _by_sales(snapshot, asked, given, Why.RETRIEVAL_FAILED)
    places = places_of(draft, len(given), explain=asked.explain)
    return Answer(
        asked.user, places, draft.rung[0], draft.why[0], LIVE, tuple(draft.failures), row, draft
    )


def _by_sales(snapshot: Snapshot, asked: Asked, given: Ints, why: Why) -> Answer:
    sold: Floats = snapshot.recommender.popular.scores[given]
    order = np.lexsort((given, -sold))
    places = [Place(int(given[at]), float(sold[at])) for at in order]
    return Answer(asked.user, places, Rung.POPULAR, why, LIVE)
