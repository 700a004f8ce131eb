"""A probe for leaks: an order that knows nothing must not find the targets.

Ids, file order and catalogue index are never features. If ranking by one of them alone finds
targets more often than chance, something upstream writes the answer into the order of things.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.metrics import Ids, hit_rate

# one false alarm in a thousand for each order and direction
LEVEL = 0.999
DRAWS = 5000


def orders(item_ids: Sequence[str], filed: Sequence[str] | None = None) -> dict[str, Ids]:
    """Give the orders worth probing: catalogue index, item id, and the item file's if given."""
    found = {
        "catalogue index": np.arange(len(item_ids), dtype=np.int32),
        "item id": np.argsort(np.array(item_ids, dtype=object)).astype(np.int32),
    }
    if filed is not None:
        index = {item: row for row, item in enumerate(item_ids)}
        rows = [index[item] for item in filed if item in index]
        found["file order"] = np.array(rows, dtype=np.int32)
    return found


def probe(
    targets: Ids, ranked: Mapping[str, Ids], *, n_items: int, seed: int, k: int = 10
) -> dict[str, Any]:
    """Score each order, forwards and backwards, as if it were a model for every shopper."""
    upper = chance_bound(targets, n_items, k, seed)
    rows = []
    for name, order in ranked.items():
        for direction, items in (("first", order), ("last", order[::-1])):
            lists = np.broadcast_to(items[:k], (len(targets), len(items[:k])))
            score = float(hit_rate(lists, targets, k).mean())
            rows.append({"order": f"{name}, {direction}", "hr": score, "at_chance": score <= upper})
    return {
        "k": k,
        "chance": min(1.0, k / n_items),
        "upper": upper,
        "orders": rows,
        "passed": all(row["at_chance"] for row in rows),
    }


def chance_bound(targets: Ids, n_items: int, k: int, seed: int) -> float:
    """Find the hit rate that `k` blind items stay under, but for one time in a thousand.

    The binomial bound alone would cry wolf: shoppers share popular targets, so the hits of one
    list for all come in clumps. The bound is the larger one of the binomial and of `k` items
    drawn at random from the catalogue with the targets as they are.
    """
    rng = np.random.default_rng(seed)
    known = targets[targets >= 0]
    wanted = np.bincount(known, minlength=n_items)  # shoppers per item
    k = min(k, n_items)
    drawn = _hits_of_random_items(wanted, k, rng)
    binomial = rng.binomial(len(targets), k / n_items, size=DRAWS)
    hits = max(np.quantile(drawn, LEVEL), np.quantile(binomial, LEVEL))
    return float(hits / max(len(targets), 1))


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
