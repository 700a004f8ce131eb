"""Why an item is on a list: the features that moved its score, and the reason told to people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Floats, Ints
from recsys.candidates.base import CandidateSource
from recsys.ranker.features import Features
from recsys.ranker.model import Ranker
from recsys.shoppers import Shoppers


@dataclass(frozen=True)
class Contribution:
    """What one feature added to a score."""

    feature: str
    value: float
    contribution: float


def contributions(
    ranker: Ranker, features: Features, shopper: int, place: int, top: int = 8
) -> list[Contribution]:
    """Find the features that moved the score of one candidate most, strongest first."""
    ranker.check(features.names)
    row = int(features.real.ravel()[: shopper * features.real.shape[1] + place].sum())
    values = features.values[row]
    shares = ranker.booster.predict(values[None], pred_contrib=True, num_threads=1)[0, :-1]
    order = np.argsort(-np.abs(shares), kind="stable")[:top]
    return [
        Contribution(features.names[f], float(values[f]), float(shares[f]))
        for f in order
        if shares[f] != 0
    ]


def reason_of(
    sources: Sequence[CandidateSource], shoppers: Shoppers, row: int, item: int, ranks: Floats
) -> str:
    """One reason, from the source that proposed the item highest; what is personal comes first.

    `ranks` (S,) holds the item's rank in each source, nan where a source did not propose it.
    """
    proposed = [s for s in range(len(sources)) if np.isfinite(ranks[s])]
    for s in sorted(proposed, key=lambda s: (not sources[s].personal, ranks[s])):
        reason = sources[s].because(shoppers, row, item)
        if reason:
            return reason
    return "in the catalogue"


def reasons_of(
    sources: Sequence[CandidateSource], shoppers: Shoppers, items: Ints, ranks: Floats
) -> list[list[str]]:
    """Give a reason per item of each list (U, k); `ranks` is (U, k, S)."""
    return [
        [
            reason_of(sources, shoppers, row, int(item), ranks[row, place])
            for place, item in enumerate(items[row])
            if item != PAD
        ]
        for row in range(len(shoppers))
    ]
