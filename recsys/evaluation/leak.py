"""A probe for leaks: what knows nothing must not find the targets.

Ids, the order of rows and catalogue indices are never features, and nothing dated after a target
may reach a method. Each blind model here sees one of these alone, as the evaluation hands it to
methods. If one finds targets more often than chance, something upstream writes the answer into
the order of things or into the statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from recsys.arrays import PAD, Ints, Longs, place_in_row, top_per_row
from recsys.errors import TailorError
from recsys.evaluation import chance
from recsys.evaluation.metrics import Ids, hit_rate
from recsys.shoppers import DAY, Shoppers


class Blind(NamedTuple):
    """Lists of a model that knows nothing, and the hit rate that chance stays under."""

    order: str
    lists: Ids
    upper: float


def probe(
    shoppers: Shoppers,
    targets: Ids,
    *,
    known: Shoppers | None,
    item_ids: Sequence[str],
    cut: datetime | None = None,
    seed: int,
    k: int = 10,
    filed: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Score every blind model on the shoppers, with the histories given, and their targets (U,).

    `known` is what the methods were fitted on, where that is not the histories given; `cut` the
    moment it must end before, where all shoppers share one; `filed` the items in file order.
    """
    k = min(k, len(item_ids))
    told = shoppers if known is None else known
    ranked = orders(item_ids, filed)
    models = [
        *_by_order(ranked, targets, k, seed),
        *_beside_the_last(shoppers, targets, len(item_ids), k, seed),
        *_by_row(ranked, targets, k, seed),
        _withheld(shoppers, told, targets, k, seed),
        *([_after(_late_sales(told, cut, len(item_ids)), targets, k, seed)] if cut else []),
    ]
    rows = []
    for order, lists, upper in models:
        score = float(hit_rate(lists, targets, k).mean())
        rows.append({"order": order, "hr": score, "upper": upper, "at_chance": score <= upper})
    return {"k": k, "orders": rows, "passed": all(row["at_chance"] for row in rows)}


def orders(item_ids: Sequence[str], filed: Sequence[str] | None = None) -> dict[str, Ids]:
    """Give the orders of items: catalogue index, item id, and the item file's if given."""
    by_id = sorted(range(len(item_ids)), key=lambda item: (len(item_ids[item]), item_ids[item]))
    found = {
        "catalogue index": np.arange(len(item_ids), dtype=np.int32),
        "item id": np.array(by_id, dtype=np.int32),  # 9 before 10
    }
    if filed is not None:
        index = {item: row for row, item in enumerate(item_ids)}
        rows = [index[item] for item in filed if item in index]
        found["file order"] = np.array(rows, dtype=np.int32)
    return found


def _by_order(ranked: Mapping[str, Ids], targets: Ids, k: int, seed: int) -> Iterator[Blind]:
    """The ends of each order, the same for every shopper."""
    for name, order in ranked.items():
        upper = chance.of_random_items(targets, len(order), k, seed)
        for end, items in (("first", order), ("last", order[::-1])):
            yield Blind(f"{name}, {end}", np.tile(items[:k], (len(targets), 1)), upper)


def _beside_the_last(
    shoppers: Shoppers, targets: Ids, n_items: int, k: int, seed: int
) -> Iterator[Blind]:
    """Catalogue indices beside the last item: ids given out along the sequences."""
    last = np.full(len(shoppers), PAD, np.int32)
    some = shoppers.lengths > 0
    last[some] = shoppers.items[shoppers.indptr[1:][some] - 1]
    upper = chance.of_shuffled_catalogue(last, targets, n_items, k, seed)
    for side, step in (("above", 1), ("below", -1)):
        lists = last[:, None] + step * np.arange(1, k + 1, dtype=np.int32)  # (U, k)
        lists[(lists < 0) | (lists >= n_items) | ~some[:, None]] = PAD
        yield Blind(f"catalogue index, {side} the last item", lists, upper)


def _by_row(ranked: Mapping[str, Ids], targets: Ids, k: int, seed: int) -> Iterator[Blind]:
    """Items that stand where the shopper's row does: both filed in one order.

    A row stands at its share of the rows, or at its number, again from the start where the items
    end.
    """
    rows = np.arange(len(targets))
    for name, order in ranked.items():
        places = {"share": rows * len(order) // len(targets), "number": rows % len(order)}
        for place, middle in places.items():
            begin = np.clip(middle - k // 2, 0, len(order) - k)
            lists = order[begin[:, None] + np.arange(k)]
            upper = chance.of_shuffled_targets(lists, targets, seed)
            yield Blind(f"row {place} in {name}", lists, upper)


def beyond_history(shoppers: Shoppers, known: Shoppers) -> tuple[Longs, Ints, Longs]:
    """Find purchases in the statistics that go beyond the history given: (row, item, time).

    Older ones than the history's first are no sign of anything: long histories are cut short.
    """
    row_of = {user: row for row, user in enumerate(shoppers.user_ids)}
    whose = np.fromiter((row_of.get(user, PAD) for user in known.user_ids), np.int64, len(known))
    rows = np.repeat(whose, known.lengths)
    since = np.full(len(shoppers) + 1, np.iinfo(np.int64).min)  # the last is for row -1
    some = np.flatnonzero(shoppers.lengths)
    since[some] = shoppers.times[shoppers.indptr[some]]
    recent = np.flatnonzero((rows != PAD) & (known.times >= since[rows]))
    recent = recent[np.lexsort((known.times[recent], known.items[recent], rows[recent]))]
    rows, items, times = rows[recent], known.items[recent], known.times[recent]
    # an item bought once more is beyond the history as well: count, don't only look
    size = 1 + int(max(items.max(initial=0), shoppers.items.max(initial=0)))
    given = np.repeat(np.arange(len(shoppers)), shoppers.lengths) * size + shoppers.items
    given.sort()
    pairs = rows * size + items
    held = np.searchsorted(given, pairs, "right") - np.searchsorted(given, pairs)
    beyond = place_in_row(pairs) >= held
    return rows[beyond], items[beyond], times[beyond]


def _withheld(shoppers: Shoppers, known: Shoppers, targets: Ids, k: int, seed: int) -> Blind:
    """What the statistics hold of a shopper beyond the history given, latest first."""
    rows, items, times = beyond_history(shoppers, known)
    days = ((times - times.max(initial=0)) / DAY).astype(np.float32)
    lists, _ = top_per_row(rows, items, days, (len(shoppers), k), np.maximum)
    upper = chance.of_shuffled_targets(lists, targets, seed)
    return Blind("known but not in the history", lists, upper)


def _late_sales(known: Shoppers, cut: datetime, n_items: int) -> Longs:
    """Count per item what the statistics hold from the cut on: nothing, if all is well."""
    if cut.tzinfo is None:
        raise TailorError("the cut has no time zone", where="leak probe", fix="pass a UTC datetime")
    return np.bincount(known.items[known.times >= cut.timestamp()], minlength=n_items)


def _after(sold: Longs, targets: Ids, k: int, seed: int) -> Blind:
    """What sells most from the cut on."""
    items = np.argsort(-sold, kind="stable")[: min(k, np.count_nonzero(sold))]
    lists = np.tile(items.astype(np.int32), (len(targets), 1))
    upper = chance.of_random_items(targets, len(sold), len(items), seed)
    return Blind("known and bought after the cut", lists, upper)
