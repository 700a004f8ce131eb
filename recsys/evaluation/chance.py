"""How many targets lists that know nothing may find by chance: one time in a thousand more.

A binomial bound would cry wolf. Shoppers share popular targets, and whoever bought one thing often
buys the same thing next, so the hits of blind lists come in clumps. Each bound here is simulated
with the targets as they are, by shuffling exactly what a clean world leaves to chance.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import PAD, Ints
from recsys.evaluation.metrics import Ids

LEVEL = 0.999
DRAWS = 2000


def of_random_items(targets: Ids, n_items: int, k: int, seed: int) -> float:
    """Bound a list of `k` items that is the same for all: `k` items drawn from the catalogue.

    Where all items are alike this falls below the binomial bound, which then stands.
    """
    rng = np.random.default_rng(seed)
    wanted = np.bincount(targets[targets != PAD], minlength=n_items)  # shoppers per item
    drawn = _hits_of_random_items(wanted, k, rng)
    binomial = rng.binomial(len(targets), k / n_items, size=DRAWS)
    return max(_bound(drawn, len(targets)), _bound(binomial, len(targets)))


def of_shuffled_catalogue(last: Ints, targets: Ids, n_items: int, k: int, seed: int) -> float:
    """Bound lists of the `k` items on one side of an item: the catalogue in a random order.

    Shuffling targets would not do: where many go from one item to the same next one, that pair
    stands close by accident or not, and takes all its shoppers along.
    """
    rng = np.random.default_rng(seed)
    real = (last != PAD) & (targets != PAD)
    (here, there), times = np.unique(
        np.stack([last[real], targets[real]]), axis=1, return_counts=True
    )
    hits = np.empty(DRAWS)
    for draw in range(DRAWS):
        place = rng.permutation(n_items)
        step = place[there] - place[here]
        hits[draw] = times[(step > 0) & (step <= k)].sum()
    return _bound(hits, len(targets))


def of_shuffled_targets(lists: Ids, targets: Ids, seed: int) -> float:
    """Bound lists of their own for each shopper: the same lists, targets dealt out anew."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero((lists != PAD).any(axis=1))
    if not len(rows):
        return 0.0
    columns = np.ascontiguousarray(lists[rows].T)  # (k, rows)
    wanted = np.where(targets == PAD, PAD - 1, targets)  # matches no padding
    hits = [np.count_nonzero(columns == rng.permutation(wanted)[rows]) for _ in range(DRAWS)]
    return _bound(np.array(hits), len(targets))


def _bound(hits: NDArray[Any], shoppers: int) -> float:
    return float(np.quantile(hits, LEVEL, method="higher") / shoppers)


def _hits_of_random_items(
    wanted: NDArray[np.int64], k: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Hits of `k` distinct random items, many times: (DRAWS,).

    Every draw starts elsewhere in one of a few shuffles; whole shuffles per draw would cost
    DRAWS x catalogue.
    """
    per_shuffle = 100
    hits = []
    for _ in range(DRAWS // per_shuffle):
        shuffled = rng.permutation(wanted)
        total = np.concatenate([[0], np.cumsum(np.concatenate([shuffled, shuffled[:k]]))])
        begin = rng.integers(len(wanted), size=per_shuffle)
        hits.append(total[begin + k] - total[begin])
    return np.concatenate(hits)
