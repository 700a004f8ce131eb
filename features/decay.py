"""Shoppers as the decayed mean of what they bought: numpy in, numpy out.

The same function serves training, the batch and one shopper on a push.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.integer]

ENTRIES_PER_CHUNK = 32_768
"""Purchases whose vectors are in memory at once: 50 MB at 384 dimensions."""


def user_vectors(
    indptr: Integers, items: Integers, times: Integers, item_vectors: Floats, half_life: float
) -> Floats:
    """Embed shoppers: the decayed mean of what each bought, of length one; (U, D).

    Histories are in CSR form, oldest to newest; items are indices, -1 for an unknown one. A
    purchase weighs half of one made `half_life` purchases later. Purchases made at the same time
    weigh the same, whatever their order. An empty history gives zeros.
    """
    return decayed_means(indptr, items, later_than(indptr, times), item_vectors, half_life)


def decayed_means(
    indptr: Integers, items: Integers, later: Integers, item_vectors: Floats, half_life: float
) -> Floats:
    """Embed shoppers where it is known how many purchases are `later` than each; (U, D)."""
    weights = np.exp2(-later / half_life).astype(np.float32)
    weights[items < 0] = 0
    if len(indptr) == 2 and len(items) <= ENTRIES_PER_CHUNK:  # as below, in fewer steps
        return normalised(np.add.reduce(item_vectors[items] * weights[:, None], 0, keepdims=True))
    users = np.zeros((len(indptr) - 1, item_vectors.shape[1]), dtype=np.float32)
    for first, last in _chunks(indptr):
        sizes = np.diff(indptr[first : last + 1])
        longest = np.argsort(-sizes, kind="stable")
        starts = indptr[first:last][longest]
        sums = np.zeros((last - first, item_vectors.shape[1]), dtype=np.float32)
        # everybody's first purchase, everybody's second: many times faster than one by one
        for nth, still in enumerate(_at_least(sizes)):
            rows = starts[:still] + nth
            sums[:still] += item_vectors[items[rows]] * weights[rows, None]  # (still, D)
        users[first + longest] = sums
    return normalised(users)


def _at_least(sizes: Integers) -> Integers:
    """Count how many have at least one entry, how many two, and so on; (longest,)."""
    ending = np.bincount(sizes)[1:]  # how many have exactly one, two, …
    counts: Integers = np.cumsum(ending[::-1])[::-1]
    return counts


def later_than(indptr: Integers, times: Integers) -> Integers:
    """Count for each purchase those of its shopper that are strictly later."""
    starts, sizes, owners = _moments(indptr, times)
    later: Integers = np.repeat(indptr[1:][owners] - (starts + sizes), sizes)
    return later


def prefix_vectors(
    indptr: Integers, items: Integers, times: Integers, item_vectors: Floats, half_life: float
) -> Floats:
    """Embed the shopper before each purchase: from strictly earlier purchases only; (N, D).

    Row j is what `user_vectors` gives for the purchases before the time of purchase j.
    """
    before = np.zeros((len(items), item_vectors.shape[1]), dtype=np.float32)
    for first, last in _chunks(indptr):
        part = slice(indptr[first], indptr[last])
        bounds = indptr[first : last + 1] - indptr[first]
        _advance(
            before[part], bounds, items[part], times[part],
            item_vectors=item_vectors, half_life=half_life,
        )  # fmt: skip
    return normalised(before)


def _advance(
    before: Floats,
    indptr: Integers,
    items: Integers,
    times: Integers,
    *,
    item_vectors: Floats,
    half_life: float,
) -> None:
    """Fill `before`, all shoppers together, one point in time after the other.

    At each, v = 2^(-n / half_life) * v + the sum of the n items bought then.
    """
    starts, sizes, owners = _moments(indptr, times)
    turn = np.arange(len(starts)) - np.searchsorted(owners, owners)
    state = np.zeros((len(indptr) - 1, before.shape[1]), dtype=np.float32)
    for nth in range(int(turn.max(initial=-1)) + 1):
        now = np.flatnonzero(turn == nth)
        count, whose, rows = sizes[now], owners[now], _ranges(starts[now], sizes[now])
        before[rows] = state[np.repeat(whose, count)]
        bought = item_vectors[items[rows]] * (items[rows] >= 0)[:, None]
        state[whose] *= np.exp2(-count / half_life).astype(np.float32)[:, None]
        state[whose] += np.add.reduceat(bought, np.cumsum(count) - count, axis=0)


def normalised(vectors: Floats) -> Floats:
    """Scale each row to length one; zeros stay zeros."""
    lengths = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
    scaled: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled


def _moments(indptr: Integers, times: Integers) -> tuple[Integers, Integers, Integers]:
    """Group purchases made by one shopper at one time: where each group starts, its size, whose."""
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    new = np.ones(len(times), dtype=bool)
    new[1:] = (np.diff(times) != 0) | (np.diff(owner) != 0)
    starts = np.flatnonzero(new)
    return starts, np.diff(starts, append=len(times)), owner[starts]


def _ranges(starts: Integers, sizes: Integers) -> Integers:
    """Concatenate the ranges that begin at `starts`."""
    ahead = np.cumsum(sizes) - sizes
    ranges: Integers = np.arange(int(sizes.sum())) + np.repeat(starts - ahead, sizes)
    return ranges


def _chunks(indptr: Integers) -> Iterator[tuple[int, int]]:
    """Split shoppers into runs of about ENTRIES_PER_CHUNK purchases, at least one shopper each."""
    first, users = 0, len(indptr) - 1
    while first < users:
        reach = np.searchsorted(indptr, indptr[first] + ENTRIES_PER_CHUNK, side="right") - 1
        last = min(max(int(reach), first + 1), users)
        yield first, last
        first = last
