"""Array types, the padding convention, and the few vector operations every ranking part shares."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Objects = NDArray[np.object_]

PAD = -1  # stands where a row has no more items; its score is -inf


def padded(shape: tuple[int, int]) -> tuple[Ints, Floats]:
    """Item and score matrices that hold nothing yet."""
    return np.full(shape, PAD, np.int32), np.full(shape, -np.inf, np.float32)


def spans(starts: Longs, counts: Longs) -> Longs:
    """Concatenate the ranges [start, start + count): positions of ragged rows in a flat array."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    at: Longs = np.arange(total) + np.repeat(starts - (ends - counts), counts)
    return at


def place_in_row(rows: Longs) -> Longs:
    """Position of each entry within its row; `rows` is sorted."""
    return np.arange(len(rows)) - np.searchsorted(rows, rows)


def top_per_row(
    rows: Longs, items: Ints, scores: Floats, shape: tuple[int, int], how: np.ufunc = np.add
) -> tuple[Ints, Floats]:
    """Find the best items of each row from loose (row, item, score) triples.

    An item named twice in a row has its scores merged by `how`. Ties break by catalogue index.
    """
    best, value = padded(shape)
    if not len(rows):
        return best, value
    order = np.lexsort((items, rows))
    rows, items, scores = rows[order], items[order], scores[order]
    new = np.flatnonzero(np.r_[True, (np.diff(rows) != 0) | (np.diff(items) != 0)])
    rows, items = rows[new], items[new]
    scores = how.reduceat(scores, new).astype(np.float32)
    order = np.lexsort((items, -scores, rows))
    place = place_in_row(rows)  # rows stay sorted under `order`
    keep = place < shape[1]
    best[rows[keep], place[keep]] = items[order][keep]
    value[rows[keep], place[keep]] = scores[order][keep]
    return best, value


def order_rows(items: Ints, scores: Floats) -> Longs:
    """Column order by falling score within each row; ties by catalogue index, padding last."""
    keys = np.where(items == PAD, np.iinfo(np.int32).max, items)
    by_item = np.argsort(keys, axis=1, kind="stable")
    by_score = np.argsort(-np.take_along_axis(scores, by_item, 1), axis=1, kind="stable")
    return np.take_along_axis(by_item, by_score, 1)


def top_of_dense(
    scores: Floats, k: int, masked: Bools | tuple[Longs, Ints] | None = None
) -> tuple[Ints, Floats]:
    """Find the best k items of each row of a score block (U, I); ties break by catalogue index.

    `masked` items are left out: a mask (U, I), or histories as (indptr, items). So are items
    scored -inf; where a row has no more, it is padded. The block itself stays as it is.
    """
    scores = np.asarray(scores, np.float32)
    if masked is not None:
        scores = _without(scores, masked)
    best, value = padded((len(scores), k))
    width = min(k, scores.shape[1])
    if not len(scores) or not width:
        return best, value
    items = np.nonzero(_at_the_top(scores, width))[1].reshape(-1, width)  # rising per row
    found = np.take_along_axis(scores, items, 1)
    order = np.argsort(-found, axis=1, kind="stable")  # (U, width)
    found = np.take_along_axis(found, order, 1)
    items = np.take_along_axis(items, order, 1)
    best[:, :width] = np.where(np.isneginf(found), PAD, items)
    value[:, :width] = found
    return best, value


def _without(scores: Floats, masked: Bools | tuple[Longs, Ints]) -> Floats:
    left = scores.copy()
    if isinstance(masked, tuple):
        indptr, items = masked
        left[np.repeat(np.arange(len(scores)), np.diff(indptr)), items] = -np.inf
    else:
        left[masked] = -np.inf
    return left


def _at_the_top(scores: Floats, width: int) -> Bools:
    """Mark exactly `width` items per row: of those tied for the last places, the first."""
    border = np.partition(scores, -width, axis=1)[:, -width, None]  # (U, 1)
    top: Bools = scores >= border
    tied = np.flatnonzero(top.sum(axis=1) > width)  # rows with more ties than places
    above, level = scores[tied] > border[tied], scores[tied] == border[tied]
    left = width - above.sum(axis=1, keepdims=True)
    top[tied] = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= left))
    return top
