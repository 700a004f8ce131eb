"""What a shopper's adapter does to her list: with hers, without any, with another shopper's."""

from dataclasses import dataclass, replace

import numpy as np

from recsys.arrays import PAD, Floats, Ints
from recsys.decision import HIGHEST
from recsys.errors import TailorError
from recsys.ladder import Rung
from recsys.lists import Lists
from recsys.recommend import Recommender
from recsys.rerank import Reranker
from recsys.service.console.history import Item
from recsys.shoppers import Shoppers

AS_IF = 1.0  # the weight shown where the release gives none


@dataclass(frozen=True)
class Told:
    """What the model says of one item of the head."""

    item: Item
    without: int  # rank
    own: int
    other: int
    own_score: float  # log-probability of the title: with the adapter, minus nobody's
    other_score: float


@dataclass(frozen=True)
class Effect:
    """The head of a list three times."""

    other: str
    weight: float
    as_if: bool  # the release does not let the model reorder her list; this is what it would do
    rows: list[Told]

    @property
    def moved(self) -> int:
        """Items that stand elsewhere with her adapter than without."""
        return sum(row.own != row.without for row in self.rows)

    @property
    def differ(self) -> int:
        """Items that stand elsewhere with another shopper's adapter than with hers."""
        return sum(row.own != row.other for row in self.rows)


class Heard:
    """Passes a question on, with a vector of its own choice, and remembers what it heard."""

    def __init__(self, inner: Reranker, vector: Floats | None = None) -> None:
        self._inner, self._vector = inner, vector
        self.scores: dict[int, float] = {}

    def score(self, user_vectors: Floats, items: Ints) -> Floats:
        """Score the items, for the vector it was given where there is one."""
        asked = user_vectors if self._vector is None else np.repeat(self._vector, len(items), 0)
        told = self._inner.score(asked, items)
        self.scores |= {
            int(item): float(score)
            for item, score in zip(items.ravel(), np.ravel(told), strict=True)
            if item != PAD
        }
        return told


def effect_of(
    recommender: Recommender, shopper: Shoppers, other: Shoppers, k: int
) -> Effect | None:
    """Compare the three; None where there is no model, or nothing is known of either's taste."""
    told = recommender.taste_of(other)[:1]
    known = np.any(recommender.taste_of(shopper)) and np.any(told)
    if recommender.reranker is None or not recommender.options.rerank or not known:
        return None
    weight = recommender.blend_weight or AS_IF
    hers, others = Heard(recommender.reranker), Heard(recommender.reranker, told)
    size = max(recommender.options.rerank, k)
    without = recommender.recommend(shopper, size, highest=Rung.RANKER)
    own, borrowed = (
        replace(recommender, blend_weight=weight, reranker=each, decision=None).recommend(
            shopper, size
        )
        for each in (hers, others)
    )
    if not (hers.scores and others.scores):
        failed = (*own.failures, *borrowed.failures, "it was not asked")
        raise TailorError("the language model gave no scores", where="adapter", fix=failed[0])
    return Effect(
        other=str(other.user_ids[0]),
        weight=weight,
        as_if=not recommender.blend_weight or (recommender.decided(shopper) != HIGHEST).any(),
        rows=_rows(recommender, (without, own, borrowed), hers.scores, others.scores),
    )


def _rows(
    recommender: Recommender,
    lists: tuple[Lists, Lists, Lists],
    own: dict[int, float],
    other: dict[int, float],
) -> list[Told]:
    ranks = [
        {int(item): rank for rank, item in enumerate(each.items[0], start=1) if item != PAD}
        for each in lists
    ]
    heard = [item for item in ranks[1] if item in own and item in other]
    catalogue = recommender.shelf.catalogue
    return [
        Told(
            Item.at(catalogue, item),
            ranks[0][item],
            ranks[1][item],
            ranks[2][item],
            own[item],
            other[item],
        )
        for item in heard
    ]
