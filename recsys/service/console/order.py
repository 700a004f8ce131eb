"""The order of a list, stage by stage: where each item stood, and what moved it.

The stages are the rungs of the ladder, asked for one by one through the one way to lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Ints
from recsys.candidates.pool import Pool, build_pool, ranks_of
from recsys.ladder import Rung
from recsys.lists import Lists
from recsys.ranker import build_features, contributions
from recsys.recommend import Recommender
from recsys.service.console.history import Item
from recsys.shoppers import Shoppers

NAMES = {Rung.RETRIEVAL: "retrieval", Rung.RANKER: "ranker", Rung.ADAPTED_LM: "adapted model"}
TOLD = 3  # features that moved an item


@dataclass(frozen=True)
class Place:
    """One item of the final list and the way it came."""

    item: Item
    ranks: tuple[int | None, ...]  # by stage, from 1; None: not among the candidates
    reason: str
    moved: tuple[str, ...]  # in words, what moved its score most
    sources: tuple[tuple[str, int], ...]  # who proposed it, and at which place

    @property
    def rank(self) -> int:
        """Where it ended."""
        return self.ranks[-1] or 0

    @property
    def change(self) -> int:
        """How many places it rose (or fell) between the first stage and the last."""
        return (self.ranks[0] or self.rank) - self.rank


@dataclass(frozen=True)
class Line:
    """An item's ranks by stage, for the picture: those of the list and those that left it."""

    title: str
    ranks: tuple[int | None, ...]
    kept: bool


@dataclass(frozen=True)
class SourceRow:
    """What one candidate source did for the list."""

    name: str
    personal: bool
    proposed: int
    pooled: int
    listed: int


@dataclass(frozen=True)
class Order:
    """A shopper's list with its whole way."""

    stages: tuple[str, ...]
    places: list[Place]
    lines: list[Line]
    sources: list[SourceRow]
    candidates: int
    rung: str
    why: str
    failures: tuple[str, ...]

    @property
    def ids(self) -> list[str]:
        """The items of the list."""
        return [place.item.id for place in self.places]


def order_of(recommender: Recommender, shopper: Shoppers, k: int) -> Order:
    """Make the list of the one shopper and tell how it came about."""
    size = max(recommender.options.pool, k)
    final = recommender.recommend(shopper, size, explain=True)
    rungs = [rung for rung in NAMES if Rung(final.rung[0]) in NAMES and final.rung[0].allows(rung)]
    steps = [recommender.recommend(shopper, size, highest=rung) for rung in rungs]
    positions = [_positions(step.items[0]) for step in steps] or [_positions(final.items[0])]
    listed = final.items[0][:k]
    listed = listed[listed != PAD]
    pool = _pool_of(recommender, shopper, size) if steps else None
    moved = _moved(recommender, shopper, pool, listed)
    proposals = _proposals(recommender, pool, listed)
    return Order(
        stages=tuple(NAMES[rung] for rung in rungs) or ("popular",),
        places=_places(recommender, (final, listed, positions), moved, proposals),
        lines=_lines(recommender, listed, positions, k),
        sources=_sources(recommender, pool, listed) if pool else [],
        candidates=int((final.items[0] != PAD).sum()),
        rung=str(final.rung[0]),
        why=str(final.why[0]),
        failures=final.failures,
    )


def _positions(items: Ints) -> dict[int, int]:
    return {int(item): rank for rank, item in enumerate(items, start=1) if item != PAD}


def _pool_of(recommender: Recommender, shopper: Shoppers, size: int) -> Pool:
    return build_pool(
        shopper, recommender.sources, size, mask_history=recommender.options.mask_history
    )


def _places(
    recommender: Recommender,
    ranked: tuple[Lists, Ints, Sequence[dict[int, int]]],
    moved: Sequence[tuple[str, ...]],
    proposals: Sequence[tuple[tuple[str, int], ...]],
) -> list[Place]:
    final, listed, positions = ranked
    return [
        Place(
            Item.at(recommender.shelf.catalogue, int(item)),
            tuple(ranks.get(int(item)) for ranks in positions),
            final.reasons[0][at],
            moved[at],
            proposals[at],
        )
        for at, item in enumerate(listed)
    ]


def _moved(
    recommender: Recommender, shopper: Shoppers, pool: Pool | None, listed: Ints
) -> list[tuple[str, ...]]:
    """Tell the features that moved each item most, where a ranker moved any."""
    if pool is None or recommender.ranker is None:
        return [()] * len(listed)
    features = build_features(shopper, pool, recommender.shelf)
    told = []
    for item in listed:
        place = int(np.flatnonzero(pool.items[0] == item)[0])
        found = contributions(recommender.ranker, features, 0, place, TOLD)
        told.append(tuple(f"{'+' if one.contribution > 0 else '−'} {one.words}" for one in found))  # noqa: RUF001
    return told


def _proposals(
    recommender: Recommender, pool: Pool | None, listed: Ints
) -> list[tuple[tuple[str, int], ...]]:
    """Who proposed each item, highest first."""
    if pool is None:
        return [()] * len(listed)
    ranks = ranks_of(pool.proposed, listed[None])[0]  # (k, S)
    return [
        tuple(
            (_spaced(recommender.sources[s].name), int(row[s]) + 1)
            for s in np.argsort(row, kind="stable")
            if np.isfinite(row[s])
        )
        for row in ranks
    ]


def _lines(
    recommender: Recommender, listed: Ints, positions: Sequence[dict[int, int]], k: int
) -> list[Line]:
    """The list's items, and those that an earlier stage had among its first k."""
    kept = [int(item) for item in listed]
    early = {item for ranks in positions for item, rank in ranks.items() if rank <= k}
    gone = sorted(early - set(kept), key=lambda item: positions[-1].get(item, 0))
    catalogue = recommender.shelf.catalogue
    return [
        Line(catalogue.label(item), tuple(ranks.get(item) for ranks in positions), item in kept)
        for item in [*kept, *gone]
    ]


def _sources(recommender: Recommender, pool: Pool, listed: Ints) -> list[SourceRow]:
    rows = []
    for source, proposed in zip(recommender.sources, pool.proposed, strict=True):
        if not source.vote:
            continue
        items = proposed[0][proposed[0] != PAD]
        pooled, chosen = np.isin(items, pool.items[0]).sum(), np.isin(items, listed).sum()
        name = _spaced(source.name)
        rows.append(SourceRow(name, source.personal, len(items), int(pooled), int(chosen)))
    return sorted(rows, key=lambda row: (-row.listed, -row.pooled, row.name))


def _spaced(name: str) -> str:
    return name.replace("_", " ")
