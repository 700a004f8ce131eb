"""One pool of candidates per shopper: the sources vote, then each scores everything pooled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from recsys.arrays import PAD, Bools, Floats, Ints, Longs, order_rows
from recsys.candidates.base import DEPTH, CandidateSource
from recsys.candidates.together import Together
from recsys.shoppers import Shoppers
from recsys.sparse import Rows, row_sums, top_of_rows, values_at, without

PATIENCE = 20  # how slowly a vote fades with the rank: 1 / (PATIENCE + rank)


@dataclass(frozen=True, eq=False)
class Pool:
    """P candidates for each of U shoppers, in the order of the votes."""

    items: Ints  # (U, P), -1: padding
    votes: Floats  # (U, P) falling, -inf: padding
    scores: Floats  # (U, P, S) by every source, 0 where it has nothing to say
    proposed: tuple[Ints, ...]  # per source (U, <= DEPTH): its proposals, best first
    sources: tuple[str, ...]

    @property
    def real(self) -> Bools:
        """Where a candidate stands: (U, P)."""
        real: Bools = self.items != PAD
        return real

    def take(self, rows: Longs) -> "Pool":
        """Pick the pools of some of the shoppers."""
        return Pool(
            self.items[rows],
            self.votes[rows],
            self.scores[rows],
            tuple(items[rows] for items in self.proposed),
            self.sources,
        )


def build_pool(
    shoppers: Shoppers,
    sources: Sequence[CandidateSource],
    size: int,
    *,
    mask_history: bool = False,
    allowed: Bools | None = None,
) -> Pool:
    """Add up the votes of all sources and keep the best; then let every source score those.

    `mask_history` leaves out what the shopper bought before, `allowed` (I,) what is not wanted.
    """
    told = _asked(shoppers, sources)
    proposed = told.tops(max(DEPTH, size))
    votes = _votes(proposed, [source.vote for source in sources])
    if mask_history:
        votes = without(votes, shoppers.indptr, shoppers.items)
    if allowed is not None:
        votes = votes._replace(data=np.where(allowed[votes.indices], votes.data, np.float32(0)))
    items, counted = top_of_rows(votes, size)
    scores = told.at(items)
    names = tuple(source.name for source in sources)
    return Pool(items, counted, scores, tuple(proposed), names)


def pool_of(shoppers: Shoppers, sources: Sequence[CandidateSource], items: Ints) -> Pool:
    """Score given items (U, P) as if they had been pooled; nobody's proposal has no votes."""
    told = _asked(shoppers, sources)
    votes = _votes(told.tops(DEPTH), [source.vote for source in sources])
    scores = told.at(items)
    names = tuple(source.name for source in sources)
    return Pool(items, values_at(votes, items), scores, (), names)


def _asked(shoppers: Shoppers, sources: Sequence[CandidateSource]) -> Together:
    """Ask all sources, those first that go on searching while the others are asked."""
    order = sorted(range(len(sources)), key=lambda at: sources[at].turn)
    told = {at: sources[at].ask(shoppers) for at in order}
    asked = [told[at] for at in range(len(sources))]
    return Together(len(shoppers), asked, [bool(source.vote) for source in sources])


def by_votes(pool: Pool) -> Pool:
    """The same candidates, most votes first; equals in the order of the catalogue."""
    order = order_rows(pool.items, pool.votes)
    return replace(
        pool,
        items=np.take_along_axis(pool.items, order, 1),
        votes=np.take_along_axis(pool.votes, order, 1),
        scores=np.take_along_axis(pool.scores, order[:, :, None], 1),
    )


def _votes(proposed: Sequence[Ints], weights: Sequence[float]) -> Rows:
    """Sum the votes: sparse rows (U, I)."""
    items = np.concatenate(proposed, axis=1)
    depths = tuple(each.shape[1] for each in proposed)
    return row_sums(items, _worth(tuple(weights), depths), int(items.max(initial=0)) + 1)


@lru_cache(maxsize=32)
def _worth(weights: tuple[float, ...], depths: tuple[int, ...]) -> Floats:
    """What a vote for each place is worth, source by source."""
    worth = [
        weight / (PATIENCE + np.arange(depth))
        for weight, depth in zip(weights, depths, strict=True)
    ]
    return np.concatenate(worth).astype(np.float32)


def ranks_of(proposed: Sequence[Ints], items: Ints) -> Floats:
    """Rank (U, K, S), from 0, of items (U, K) in each source; nan where it proposes none."""
    ranks = np.full((*items.shape, len(proposed)), np.nan, np.float32)
    for s, theirs in enumerate(proposed):
        same = (items[:, :, None] == theirs[:, None, :]) & (items != PAD)[:, :, None]
        rows, places, at = np.nonzero(same)
        ranks[rows, places, s] = at
    return ranks
