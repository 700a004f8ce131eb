"""Ranking metrics, one number per shopper, and what the lists as a whole look like.

Lists are (U, K) int32 catalogue indices, best first, -1 where a list has ended. A shopper without
a list, or whose target is not in the catalogue (-1), counts 0: nobody is dropped from a mean.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.errors import TailorError

Ids = NDArray[np.int32]
Numbers = NDArray[np.float64]

PADDING = -1


def hit_rank(lists: Ids, targets: Ids, k: int) -> NDArray[np.intp]:
    """Rank of each target in its list, from 0; -1 where the first `k` miss it."""
    if lists.ndim != 2 or targets.shape != lists.shape[:1]:
        raise TailorError(
            f"lists of shape {lists.shape} don't fit targets of shape {targets.shape}",
            where="metrics",
            fix="pass lists (U, K) and one target per shopper (U,)",
        )
    wanted = targets[:, None]
    hits = (lists[:, :k] == wanted) & (wanted != PADDING)  # (U, k)
    if not hits.size:
        return np.full(len(targets), PADDING, dtype=np.intp)
    return np.where(hits.any(axis=1), hits.argmax(axis=1), PADDING)


def ndcg(lists: Ids, targets: Ids, k: int) -> Numbers:
    """NDCG@k with one relevant item: 1 / log2(rank + 1), ranks from 1."""
    rank = hit_rank(lists, targets, k)
    return np.where(rank >= 0, 1.0 / np.log2(np.maximum(rank, 0) + 2.0), 0.0)


def hit_rate(lists: Ids, targets: Ids, k: int) -> Numbers:
    """HR@k, which for one target is also recall@k: 1 where the target is in the first k."""
    return (hit_rank(lists, targets, k) >= 0).astype(np.float64)


def reciprocal_rank(lists: Ids, targets: Ids, k: int) -> Numbers:
    """MRR@k before the mean: 1 / rank of the target, 0 where it is missed."""
    rank = hit_rank(lists, targets, k)
    return np.where(rank >= 0, 1.0 / (np.maximum(rank, 0) + 1.0), 0.0)


def _confusion(lists: Ids, targets: Sequence[AbstractSet[int]], k: int) -> NDArray[np.int64]:
    """Per shopper (TP, FP, FN) of the distinct items in the first k: (U, 3)."""
    counts = np.zeros((len(lists), 3), dtype=np.int64)
    for row, (shown, wanted) in enumerate(zip(lists[:, :k], targets, strict=True)):
        listed = set(shown.tolist()) - {PADDING}
        found = len(listed & wanted)
        counts[row] = found, len(listed) - found, len(wanted) - found
    return counts


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Numbers:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def precision(lists: Ids, targets: Sequence[AbstractSet[int]], k: int) -> Numbers:
    """TP / (TP + FP): of the items shown, the share that was wanted."""
    found, wrong, _ = _confusion(lists, targets, k).T
    return _share(found, found + wrong)


def recall(lists: Ids, targets: Sequence[AbstractSet[int]], k: int) -> Numbers:
    """TP / (TP + FN): of the items wanted, the share that was shown."""
    found, _, missed = _confusion(lists, targets, k).T
    return _share(found, found + missed)


def _shown(lists: Ids, k: int) -> Ids:
    top = lists[:, :k].ravel()
    shown: Ids = top[top != PADDING]
    return shown


def coverage(lists: Ids, n_items: int, k: int) -> float:
    """Share of the catalogue that stands in anyone's first k."""
    return len(np.unique(_shown(lists, k))) / n_items if n_items else 0.0


def mean_popularity(lists: Ids, popularity: NDArray[Any], k: int) -> float:
    """Mean purchase count of the items shown."""
    shown = _shown(lists, k)
    return float(popularity[shown].mean()) if shown.size else 0.0


def novelty(lists: Ids, popularity: NDArray[Any], k: int) -> float:
    """Mean self-information of the items shown, in bits: -log2 of an item's share of purchases.

    One purchase is added to each item, so that one never bought has a finite share.
    """
    shown = _shown(lists, k)
    share = (popularity + 1.0) / (popularity.sum() + len(popularity))
    return float(-np.log2(share[shown]).mean()) if shown.size else 0.0
