"""Why an item is on a list: the features that moved its score, and the reason told to people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Floats, Ints, order_rows
from recsys.candidates.base import CandidateSource
from recsys.candidates.pool import Pool
from recsys.ranker.features import Features
from recsys.ranker.model import Ranker
from recsys.ranker.words import in_words
from recsys.shoppers import Shoppers


@dataclass(frozen=True)
class Contribution:
    """What one feature added to a score."""

    feature: str
    value: float  # nan where unknown
    contribution: float

    @property
    def words(self) -> str:
        """What the value means."""
        return in_words(self.feature, self.value)


@dataclass(frozen=True)
class Origin:
    """A source that has the item for the shopper; it puts `rank` others before it."""

    source: str
    rank: int
    score: float
    because: str | None


@dataclass(frozen=True)
class Explanation:
    """An item's place among the ranked candidates of a shopper, and what made its score.

    The base and all contributions add up to the score.
    """

    rank: int  # from 0
    score: float
    base: float  # the score expected before anything is known
    contributions: list[Contribution]


def explain_item(ranker: Ranker, pool: Pool, features: Features, item: int) -> Explanation | None:
    """Explain one item in the pool of one shopper; None: it is not among the candidates."""
    places = np.flatnonzero(pool.items[0] == item)
    if not len(places):
        return None
    scores = ranker.predict(features)  # (1, P)
    best_first = pool.items[0, order_rows(pool.items, scores)[0]]
    base, shares = _decomposed(ranker, features, 0, int(places[0]))
    return Explanation(
        rank=int(np.flatnonzero(best_first == item)[0]),
        score=float(scores[0, places[0]]),
        base=base,
        contributions=shares,
    )


def origins(
    sources: Sequence[CandidateSource], shopper: Shoppers, item: int, depth: int
) -> list[Origin]:
    """Find the sources that have an item among their best `depth` for one shopper."""
    found = []
    voting = [source for source in sources if source.vote]
    for source in voting:  # the others only measure
        items, scores = source.candidates(shopper, depth)
        for rank in np.flatnonzero(items[0] == item):
            why = source.because(shopper, 0, item)
            found.append(Origin(source.name, int(rank), float(scores[0, rank]), why))
    return found


def contributions(
    ranker: Ranker, features: Features, shopper: int, place: int, top: int = 8
) -> list[Contribution]:
    """Find the features that moved the score of one candidate most, strongest first."""
    return _decomposed(ranker, features, shopper, place)[1][:top]


def _decomposed(
    ranker: Ranker, features: Features, shopper: int, place: int
) -> tuple[float, list[Contribution]]:
    """Split the score of one candidate into a base and what each feature adds to it."""
    ranker.check(features.names)
    row = int(features.real.ravel()[: shopper * features.real.shape[1] + place].sum())
    values = features.values[row]
    shares = ranker.booster.predict(values[None], pred_contrib=True, num_threads=1)[0]
    order = np.argsort(-np.abs(shares[:-1]), kind="stable")
    told = [
        Contribution(features.names[f], float(values[f]), float(shares[f]))
        for f in order
        if shares[f] != 0
    ]
    return float(shares[-1]), told


def reasons_of(
    sources: Sequence[CandidateSource], shoppers: Shoppers, items: Ints, ranks: Floats
) -> list[list[str]]:
    """Give a reason per item of each list (U, k).

    It is of the source that proposed the item highest; what is personal comes first. `ranks`
    (U, k, S) holds an item's rank in each source, nan where a source did not propose it.
    """
    impersonal = np.array([not source.personal for source in sources], bool)
    first = np.lexsort((ranks, np.broadcast_to(impersonal, ranks.shape)), axis=2)  # (U, k, S)
    first = np.where(np.isfinite(np.take_along_axis(ranks, first, 2)), first, PAD)
    return [
        [
            _reason(sources, shoppers, row, item, asked)
            for item, asked in zip(hers, places, strict=True)
            if item != PAD
        ]
        for row, (hers, places) in enumerate(zip(items.tolist(), first.tolist(), strict=True))
    ]


def _reason(
    sources: Sequence[CandidateSource], shoppers: Shoppers, row: int, item: int, asked: list[int]
) -> str:
    """Ask the sources in turn, until one knows."""
    for source in asked:
        if source != PAD and (reason := sources[source].because(shoppers, row, item)):
            return reason
    return "in the catalogue"
